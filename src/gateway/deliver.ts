import type { RatePocket } from '../quota/index.ts'
import {
  contentBytes,
  readUsage,
  relayStream,
  type Answered,
  type BrokenOff,
  type CallerLeft,
} from '../routing/index.ts'
import { commonHeaders, errorEvent, type Answer } from './answer.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { HeldCall } from './held-call.ts'
import { membersOf } from './json-members.ts'
import { objectionToStream } from './objection-to-stream.ts'
import type { Refusal } from './refusal.ts'

/**
 * Relays a stream as it comes; `[DONE]` leaves after the call stands in the ledger. Until then it is among those that a no
 * may cut.
 */
export function deliverStream(
  gateway: Gateway,
  asking: Asking,
  held: HeldCall,
  answered: Answered,
  left: CallerLeft,
): Answer {
  const body = relayStream(answered, {
    keepUsageChunk: held.request.wantsUsage,
    choices: held.request.measured.choices,
    idleMs: gateway.deadlines.idleMs,
    monotonicMs: () => gateway.monotonicMs(),
    settle: ({ outcome, reported, delivered }) => {
      gateway.openStreams.close(stream)
      const settled = held.settle(outcome, answered, { reported, delivered })
      gateway.deferred.defer(settled)
      return settled
    },
    errorEvent: (outcome) => errorEvent(asking.requestId, wordsFor(outcome)),
  })
  held.staysOpen()
  left.onLeave(() => body.leave())
  const stream = {
    objection: () => objectionToStream(gateway, held.permit, gateway.clock.now()),
    cut: (refusal: Refusal) => body.cut(errorEvent(asking.requestId, refusal)),
  }
  gateway.openStreams.open(stream)
  return { status: 200, headers: headersOf(asking, held, answered.answer.contentType), body }
}

/** A whole answer: it is settled first, then it leaves. */
export async function deliverWhole(asking: Asking, held: HeldCall, answered: Answered): Promise<Answer> {
  const body = answered.first ?? new Uint8Array(0)
  await held.settle('answered', answered, held.permit.operation === 'infer' ? nothingSaid : saidIn(body, held))
  return { status: 200, headers: headersOf(asking, held, answered.answer.contentType || 'application/json'), body }
}

const nothingSaid = { reported: undefined, delivered: { pieces: 0, bytes: 0 } }

/** Reads usage from the answer's own text, without taking the rest of it apart. */
function saidIn(body: Uint8Array, held: HeldCall) {
  const text = new TextDecoder('latin1').decode(body)
  const usage = membersOf(text).members.get('usage')
  const reported = usage === undefined ? undefined : readUsage(parse(text.slice(usage.start, usage.end)))
  const bytes = held.permit.operation === 'chat' ? contentBytes(text) : 0
  return { reported, delivered: { pieces: bytes > 0 ? 1 : 0, bytes } }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function wordsFor(outcome: BrokenOff): { reason: 'model_host_error' } | { reason: 'model_host_timeout' } {
  return { reason: outcome === 'host_timeout' ? 'model_host_timeout' : 'model_host_error' }
}

function headersOf(asking: Asking, held: HeldCall, contentType: string): Record<string, string> {
  const { permit, reservation } = held
  const headers: Record<string, string> = {
    ...commonHeaders(asking.requestId),
    'content-type': contentType,
    'formulary-model-version': `${permit.model.model}@${permit.version.version}`,
    'formulary-license': permit.licensed.license,
  }
  // Of a rate that the call does not count against nothing may be known here.
  for (const { pocket, meter, points } of reservation.rates) if (points > 0) addRate(headers, meter, pocket)
  return headers
}

function addRate(headers: Record<string, string>, meter: 'requests' | 'tokens', pocket: RatePocket): void {
  const { limit, remaining, resetSeconds } = pocket.told
  headers[`x-ratelimit-limit-${meter}`] = String(limit)
  headers[`x-ratelimit-remaining-${meter}`] = String(remaining)
  headers[`x-ratelimit-reset-${meter}`] = `${resetSeconds}s`
}
