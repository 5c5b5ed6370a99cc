import { requestName, type Uuid } from '../kernel/index.ts'
import { proofAlgorithms } from '../identity/index.ts'
import type { RelayBody } from '../routing/index.ts'
import { toWire, type Refusal } from './refusal.ts'

/** An answer before the platform has sent it: on Node it is written to the socket, on Workers it becomes a Response. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | RelayBody
}

export function refuse(
  requestId: Uuid,
  refusals: readonly Refusal[],
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const wires = refusals.map(toWire)
  const first = wires[0] ?? toWire({ reason: 'bug' })
  const others = wires.slice(1).filter((wire) => wire.message !== first.message)
  const message = [first.message, ...others.map((wire) => `Also: ${wire.message}`)].join(' ')
  const { status, type, code, param, retryAfterSeconds, challenge } = first
  const reasons = [...new Set(wires.flatMap((wire) => [wire.code, ...(wire.details ?? [])]))]
  return {
    status,
    headers: {
      ...headers,
      ...commonHeaders(requestId),
      'content-type': 'application/json',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(status === 401 ? { 'www-authenticate': challenges[challenge ?? 'bearer'] } : {}),
    },
    body: JSON.stringify({
      error: { message, type, param: param ?? null, code, reasons, request_id: requestName(requestId) },
    }),
  }
}

/** RFC 6750, section 3; RFC 9449, section 7.1. */
const dpopAlgorithms = `algs="${proofAlgorithms.map(({ alg }) => alg).join(' ')}"`
const challenges = {
  bearer: 'Bearer realm="formulary"',
  token: 'Bearer realm="formulary", error="invalid_token"',
  dpop: `DPoP realm="formulary", error="invalid_token", ${dpopAlgorithms}`,
  dpop_proof: `DPoP realm="formulary", error="invalid_dpop_proof", ${dpopAlgorithms}`,
} as const

export const commonHeaders = (requestId: Uuid) => ({
  'x-request-id': requestName(requestId),
  'cache-control': 'no-store',
})

/** A server-sent event in our words, for a stream that broke off: OpenAI's SDKs raise it as an APIError. */
export function errorEvent(requestId: Uuid, refusal: Refusal): Uint8Array {
  const { type, code, message } = toWire(refusal)
  const error = { message, type, param: null, code, request_id: requestName(requestId) }
  return new TextEncoder().encode(`data: ${JSON.stringify({ error })}\n\n`)
}
