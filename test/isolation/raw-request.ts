import { connect } from 'node:net'

/** An answer as it came over the socket. */
export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

const waitMs = 10_000

/** Sends bytes that no HTTP client would, and reads until the server closes. Header values are taken as UTF-8. */
export function sendRaw(
  url: string,
  request: { line: string; headers: Readonly<Record<string, string>>; body?: string | undefined },
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url)
  const body = request.body ?? ''
  const headers = { host, connection: 'close', 'content-length': String(Buffer.byteLength(body)), ...request.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${request.line}\r\n${lines.join('')}\r\n${body}`)
    })
    socket.setTimeout(waitMs, () => socket.destroy(new Error(`no answer to ${request.line.slice(0, 80)}`)))
    socket.on('data', (part) => parts.push(Buffer.from(part)))
    socket.once('error', (error) => {
      // A server that refuses early may reset the rest of what is sent; its answer counts if it came.
      if (parts.length === 0) reject(error)
    })
    socket.once('close', () => resolve(answerIn(Buffer.concat(parts).toString())))
  })
}

function answerIn(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const head = end === -1 ? text : text.slice(0, end)
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body: end === -1 ? '' : text.slice(end + 4) }
}
