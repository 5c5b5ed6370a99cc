import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { Pool, type Dispatcher } from 'undici'

type Pass = (incoming: IncomingMessage, outgoing: ServerResponse) => void

const [, , client, host = ''] = process.argv
const pass = client === 'undici' ? overUndici(host) : overNodeHttp(host)
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))
createServer({ noDelay: true, keepAliveTimeout: 65_000 }, pass).listen(0, '127.0.0.1')

/** The client in Node: two streams piped into each other. */
function overNodeHttp(hostUrl: string): Pass {
  const { hostname, port } = new URL(hostUrl)
  const agent = new Agent({ keepAlive: true, maxSockets: 4096 })
  return (incoming, outgoing) => {
    const { method, url: path } = incoming
    const outward = httpRequest({ agent, hostname, port, method, path, headers: headersOf(incoming) }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answerHeaders(answer.headers))
      pipeline(answer, outgoing, () => {})
    })
    outward.on('error', () => outgoing.destroy())
    pipeline(incoming, outward, () => {})
  }
}

/** The leanest client that there is: undici's dispatcher, straight into the response. */
function overUndici(hostUrl: string): Pass {
  const pool = new Pool(hostUrl, { connections: 4096, pipelining: 1 })
  return (incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const { method = 'POST', url: path = '/' } = incoming
      const body = parts.length === 1 ? parts[0] : Buffer.concat(parts)
      pool.dispatch({ method, path, headers: headersOf(incoming), body: body ?? null }, intoResponse(outgoing))
    })
  }
}

function intoResponse(outgoing: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart() {},
    onResponseStart(_controller, status, headers) {
      outgoing.writeHead(status, answerHeaders(headers))
    },
    onResponseData(controller, part) {
      if (outgoing.write(part)) return
      controller.pause()
      outgoing.once('drain', () => controller.resume())
    },
    onResponseEnd() {
      outgoing.end()
    },
    onResponseError() {
      outgoing.destroy()
    },
  }
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return {
    'content-type': headers['content-type'] ?? '',
    'content-length': headers['content-length'] ?? '0',
    authorization: headers.authorization ?? '',
  }
}

/** A length is passed on as it came; without one the answer goes on in chunks, as it came too. */
function answerHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const { 'content-type': type, 'content-length': length } = headers
  return {
    'content-type': String(type),
    ...(length === undefined ? {} : { 'content-length': String(length) }),
  }
}
