import { isRelay, webTransport, type Transport } from '../../gateway/index.ts'
import type { Defer } from '../../kernel/index.ts'
import type { RelayBody } from '../../routing/index.ts'

/** The web platform's transport; a stream is open work until its last bytes are out or its caller has gone. */
export const followedTransport = (work: Defer): Transport => ({
  ...webTransport,
  send(c, answer, left) {
    if (!isRelay(answer.body)) return webTransport.send(c, answer, left)
    const body = followed(answer.body, work)
    // It says so to the relay as well, which listened until now.
    left.onLeave(() => body.leave())
    return webTransport.send(c, { ...answer, body }, left)
  },
})

function followed(body: RelayBody, work: Defer): RelayBody {
  const { promise, resolve: end } = Promise.withResolvers<void>()
  work.defer(promise)
  return {
    async next() {
      try {
        const part = await body.next()
        if (part === undefined) end()
        return part
      } catch (error) {
        end()
        throw error
      }
    },
    leave() {
      body.leave()
      end()
    },
    cut: (words) => body.cut(words),
  }
}
