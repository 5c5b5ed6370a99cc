import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'
import { err } from '../../kernel/index.ts'
import { CallerLeft, type RelayBody } from '../../routing/index.ts'
import type { Callers } from './callers.ts'
import { isRelay, textOf, webTransport, type Answer, type Transport } from '../../gateway/index.ts'

/** A caller that takes nothing for this long is gone. */
const slowCallerMs = 120_000

/** Straight to the socket: a relayed piece is one write, and the next is not asked for before the socket took it. */
export const nodeTransport = (callers: Callers): Transport => ({
  header(c, name) {
    const value = socketOf(c)?.incoming.headers[name]
    if (value === undefined) return socketOf(c) === undefined ? webTransport.header(c, name) : undefined
    return typeof value === 'string' ? value : value[0]
  },

  async body(c, bytesMax) {
    const socket = socketOf(c)
    if (socket === undefined) return webTransport.body(c, bytesMax)
    const { incoming } = socket
    if (Number(incoming.headers['content-length'] ?? 0) > bytesMax)
      return err({ reason: 'request_too_large', bytesMax })
    const parts: Uint8Array[] = []
    const length = await new Promise<number | 'too large' | 'broken'>((resolve) => {
      let sum = 0
      incoming.on('data', (part: Buffer) => {
        sum += part.length
        if (sum > bytesMax) {
          resolve('too large')
          incoming.removeAllListeners('data')
          incoming.resume()
        } else parts.push(part)
      })
      incoming.once('end', () => resolve(sum))
      incoming.once('error', () => resolve('broken'))
      incoming.once('close', () => resolve('broken'))
    })
    if (length === 'too large') return err({ reason: 'request_too_large', bytesMax })
    if (length === 'broken')
      return err({ reason: 'request_malformed', message: 'The body ended early.', param: undefined })
    return textOf(parts, length)
  },

  certificate(c) {
    const socket = socketOf(c)
    return socket === undefined ? undefined : callers.certificateOf(socket.incoming)
  },

  address(c) {
    const socket = socketOf(c)
    return socket === undefined ? undefined : callers.addressOf(socket.incoming)
  },

  callerLeft(c) {
    const socket = socketOf(c)
    if (socket === undefined) return webTransport.callerLeft(c)
    const left = new CallerLeft()
    socket.outgoing.once('close', () => {
      if (!socket.outgoing.writableFinished) left.leave()
    })
    return left
  },

  send(c, answer, left) {
    const socket = socketOf(c)
    if (socket === undefined) return webTransport.send(c, answer, left)
    return write(socket.outgoing, answer, left)
  },
})

async function write(outgoing: ServerResponse, { status, headers, body }: Answer, left: CallerLeft): Promise<Response> {
  if (left.left || outgoing.destroyed) {
    if (isRelay(body)) left.leave()
    return RESPONSE_ALREADY_SENT
  }
  if (isRelay(body)) {
    outgoing.writeHead(status, headers)
    await pump(body, outgoing, left)
    return RESPONSE_ALREADY_SENT
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  outgoing.writeHead(status, { ...headers, 'content-length': length })
  outgoing.end(body)
  return RESPONSE_ALREADY_SENT
}

async function pump(body: RelayBody, outgoing: ServerResponse, left: CallerLeft): Promise<void> {
  // With a first piece that is at hand the head leaves in one write; it waits for none that is not.
  const head = setImmediate(() => outgoing.flushHeaders())
  try {
    for (let part = await body.next(); part !== undefined; part = await body.next()) {
      clearImmediate(head)
      if (left.left) return
      if (!outgoing.write(part) && !(await drained(outgoing))) {
        left.leave()
        outgoing.destroy()
        return
      }
    }
    outgoing.end()
  } catch {
    // The call could not be written to the ledger: the caller must not take this for a whole answer.
    outgoing.destroy()
  }
}

/** False when the caller closed, or took nothing for too long. */
function drained(outgoing: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isDrained: boolean) => {
      clearTimeout(timer)
      outgoing.off('drain', onDrain)
      outgoing.off('close', onClose)
      resolve(isDrained)
    }
    const onDrain = () => settle(true)
    const onClose = () => settle(false)
    const timer = setTimeout(onClose, slowCallerMs)
    outgoing.once('drain', onDrain)
    outgoing.once('close', onClose)
  })
}

function socketOf(c: Context): { incoming: IncomingMessage; outgoing: ServerResponse } | undefined {
  const { incoming, outgoing } = c.env ?? {}
  return incoming === undefined || outgoing === undefined ? undefined : { incoming, outgoing }
}
