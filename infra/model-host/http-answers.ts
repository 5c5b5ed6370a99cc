import type { ServerResponse } from 'node:http'
import type { ServedCall } from './served-call.ts'

/** Stands in whatever is the host's own business. A gateway that lets it through to a caller has failed. */
export const canary = 'inside-words-canary'

/** Answers outside a model call: control, models, health. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** A request the host does not understand, in the words of its protocol. */
export function refuseCall(call: ServedCall, status: number, message: string): void {
  const body =
    call.operation === 'infer'
      ? { error: message }
      : { error: { message, type: 'invalid_request_error', param: null, code: null } }
  sendError(call, status, JSON.stringify(body))
}

/** The failure the `status` knob asks for: the shape and the indiscretion of real ones. */
export function failCall(call: ServedCall, status: number, retryAfterSeconds: number | null): void {
  const text = JSON.stringify(call.operation === 'infer' ? { error: insideWords } : { error: errorBody(status) })
  sendError(call, status, text, retryAfterSeconds)
}

/** Sends the caller elsewhere with its request, as a host behind a misled proxy does. */
export function redirectCall(call: ServedCall, location: string): void {
  call.response.writeHead(307, { location, 'content-length': 0 })
  call.end('', 'error')
}

const insideWords = `CUDA out of memory on ${canary}.pod-7.models.internal:8000 (GPU 3, 79.1 GiB total)`

/** What `data: {"error": …}` holds when a stream fails after it began. */
export const errorEvent = JSON.stringify({ error: errorBody(500) })

function errorBody(status: number): { message: string; type: string; param: null; code: string | null } {
  if (status === 401) {
    const message = `Incorrect API key provided: sk-${canary}-****. Find your key in the console.`
    return { message, type: 'invalid_request_error', param: null, code: 'invalid_api_key' }
  }
  if (status === 429) {
    const message = `Rate limit reached for organization org-${canary} on tokens per min (TPM): Limit 30000, Used 29874.`
    return { message, type: 'tokens', param: null, code: 'rate_limit_exceeded' }
  }
  if (status < 500) {
    return { message: `Refused by ${canary}`, type: 'invalid_request_error', param: null, code: null }
  }
  return { message: insideWords, type: 'server_error', param: null, code: null }
}

function sendError(call: ServedCall, status: number, text: string, retryAfterSeconds: number | null = null): void {
  call.response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-served-by': canary,
    ...(retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) }),
  })
  call.end(text, 'error')
}
