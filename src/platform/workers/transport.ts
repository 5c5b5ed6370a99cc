import { z } from 'zod'
import { isRelay, webTransport, type Transport } from '../../gateway/index.ts'
import { base64Url } from '../../identity/index.ts'
import type { Defer } from '../../kernel/index.ts'
import type { RelayBody } from '../../routing/index.ts'

/** The web platform's transport; a stream is open work until its last bytes are out or its caller has gone. */
export const followedTransport = (work: Defer): Transport => ({
  ...webTransport,
  certificate: (c) => certificateIn(c.req.raw),
  address: (c) => webTransport.header(c, 'cf-connecting-ip'),
  send(c, answer, left) {
    if (!isRelay(answer.body)) return webTransport.send(c, answer, left)
    const body = followed(answer.body, work)
    // It says so to the relay as well, which listened until now.
    left.onLeave(() => body.leave())
    return webTransport.send(c, { ...answer, body }, left)
  },
})

/** What Cloudflare says of the connection (`request.cf`), which no caller can write. Its fingerprint is in hex. */
const Connection = z.object({
  tlsClientAuth: z.object({
    certPresented: z.literal('1'),
    certFingerprintSHA256: z.string().regex(/^[0-9a-f]{64}$/i),
  }),
})

function certificateIn(request: Request): string | undefined {
  const connection = Connection.safeParse('cf' in request ? request.cf : undefined)
  if (!connection.success) return undefined
  const octets = connection.data.tlsClientAuth.certFingerprintSHA256.match(/../g) ?? []
  return base64Url(Uint8Array.from(octets, (octet) => Number.parseInt(octet, 16)))
}

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
