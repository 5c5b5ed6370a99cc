import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ModelInPath } from './catalog.ts'
import { serveChat } from './chat.ts'
import { serveEmbeddings } from './embeddings.ts'
import type { HostState } from './host-state.ts'
import { sendJson } from './http-answers.ts'
import { serveInfer } from './infer.ts'
import { parseJson } from './knobs.ts'
import { bodyBytesMax, readBody } from './read-body.ts'
import { headerOf, ServedCall } from './served-call.ts'
import type { HostOperation } from './usage-log.ts'

const serve = { chat: serveChat, embeddings: serveEmbeddings, infer: serveInfer }

/** Reads a model call, serves it, and counts it. */
export async function serveModelCall(
  state: HostState,
  request: IncomingMessage,
  response: ServerResponse,
  operation: HostOperation,
  named: ModelInPath | null = null,
): Promise<void> {
  const bytes = await readBody(request)
  if (bytes === null) return tooLarge(request, response)
  state.last = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: bytes }
  const body = parseJson(bytes.toString())
  if (body === undefined) return invalid(response, 'the body is not JSON')
  const turned = state.knobs.forCall(headerOf(request, 'x-host-knobs'))
  if (!turned.ok) return invalid(response, turned.message)

  const arrived = { request, response, operation, knobs: turned.knobs, body, bodyBytes: bytes.length, named }
  const call = new ServedCall(
    arrived,
    (ended, row) => {
      state.open.delete(ended)
      state.counts.bytes += ended.sentBytes
      if (row.finished === 'complete') state.counts.served += 1
      if (row.finished === 'client_left') state.counts.clientLeft += 1
      state.log.append(row)
    },
    state.now,
  )
  state.open.add(call)
  state.counts.opened += 1
  await serve[operation](call)
}

function tooLarge(request: IncomingMessage, response: ServerResponse): void {
  if (request.destroyed || response.destroyed) return
  response.setHeader('connection', 'close')
  sendJson(response, 413, { error: { message: `more than ${bodyBytesMax} bytes`, type: 'invalid_request_error' } })
}

function invalid(response: ServerResponse, message: string): void {
  sendJson(response, 400, { error: { message, type: 'invalid_request_error', param: null, code: null } })
}
