import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HostRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Settles when the connection of the answer has closed, for whatever reason. */
  readonly closed: Promise<void>
}

export type Serve = (request: HostRequest, response: ServerResponse) => Promise<void> | void

export interface ScriptedHost {
  readonly url: string
  /** What it does with the requests that come from now on. */
  answer(serve: Serve): void
  readonly requests: readonly HostRequest[]
  stop(): Promise<void>
}

/** A model host that does exactly what a test says, step by step, where the stand-in's knobs do not reach. */
export async function startScriptedHost(): Promise<ScriptedHost> {
  let serve: Serve = refuseAll
  const requests: HostRequest[] = []
  const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (incoming, response) => {
    const parts: Buffer[] = []
    const closed = new Promise<void>((resolve) => response.once('close', () => resolve()))
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const { url = '', headers } = incoming
      const request = { path: url, headers, body: Buffer.concat(parts), closed }
      requests.push(request)
      Promise.resolve(serve(request, response)).catch(() => response.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    answer(next) {
      serve = next
    },
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const refuseAll: Serve = (_, response) => void response.writeHead(500).end()

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0

/** The head of a stream as hosts send it. */
export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  response.flushHeaders()
}

/** One event with a piece of content. */
export const contentEvent = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`

export const finishEvent = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
export const usageEvent =
  'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":14}}\n\n'
export const doneEvent = 'data: [DONE]\n\n'
