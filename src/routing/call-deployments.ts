import { err, Failure, ok, type Result } from '../kernel/index.ts'
import type { CallerLeft } from './caller-left.ts'
import type { Deployment } from './catalog.ts'
import type { Circuits } from './circuit.ts'
import type { Upstream, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.ts'

export interface Deadlines {
  /** From sending the request to the first byte of the answer's body (to the last, when the answer is not streamed). */
  readonly firstByteMs: number
  /** Between two pieces of a stream. */
  readonly idleMs: number
}

export interface CallNeeds {
  readonly upstream: Upstream
  readonly circuits: Circuits
  readonly deadlines: Deadlines
  monotonicMs(): number
}

/** A non-streamed answer may be this long; an embeddings batch is the largest. */
export const answerBytesMax = 64 * 1024 * 1024
const attemptsMax = 3

interface Attempted {
  /** Counts from one. */
  readonly attempt: number
  readonly deployment: Deployment
  readonly hostStatus: number | undefined
  readonly startedMs: number
  readonly durationMs: number
}

/** An answer with its first bytes at hand; nothing has been sent to the caller yet. */
export interface Answered extends Attempted {
  readonly answer: UpstreamAnswer
  readonly call: UpstreamCall
  /** The first piece of a stream, or the whole of an answer that is not streamed. Undefined: an empty body. */
  readonly first: Uint8Array | undefined
  readonly firstByteMs: number
}

/** An attempt that ended without an answer for the caller. It reached the host, or tried to: it has its ledger row. */
export interface FailedAttempt extends Attempted {
  readonly outcome: 'host_error' | 'host_timeout' | 'host_refused' | 'client_left'
}

export type RoutingRefusal =
  | { reason: 'model_host_refused'; hostStatus: number; contextExceeded: boolean; param: string | undefined }
  | { reason: 'model_host_error' }
  | { reason: 'model_host_unavailable'; retryAfterSeconds: number }
  | { reason: 'model_host_timeout' }
  | { reason: 'caller_left' }

/**
 * Calls deployments in order until one answers. It goes on to the next only while nothing has been sent to the caller,
 * at most three in all, and only while the process has retries to spend.
 */
export async function callDeployments(
  needs: CallNeeds,
  order: readonly Deployment[],
  call: {
    readonly streamed: boolean
    readonly left: CallerLeft
    prepare(deployment: Deployment, attempt: number): UpstreamRequest
    noteFailed(failed: FailedAttempt): void
  },
): Promise<Result<Answered, RoutingRefusal>> {
  const [first] = order
  if (first === undefined) return err({ reason: 'model_host_unavailable', retryAfterSeconds: 5 })
  let refusal: RoutingRefusal = { reason: 'model_host_unavailable', retryAfterSeconds: 5 }
  for (let attempt = 1; attempt <= Math.min(order.length, attemptsMax); attempt++) {
    if (call.left.left) return err({ reason: 'caller_left' })
    if (attempt > 1 && !needs.circuits.takeRetry()) break
    const deployment = order[attempt - 1] ?? first
    const tried = await tryDeployment(needs, deployment, attempt, call)
    if (tried.ok) return tried
    call.noteFailed(tried.error.failed)
    refusal = tried.error.refusal
    if (refusal.reason === 'caller_left' || refusal.reason === 'model_host_refused') break
  }
  return err(refusal)
}

async function tryDeployment(
  needs: CallNeeds,
  deployment: Deployment,
  attempt: number,
  call: {
    streamed: boolean
    left: CallerLeft
    prepare(deployment: Deployment, attempt: number): UpstreamRequest
  },
): Promise<Result<Answered, { refusal: RoutingRefusal; failed: FailedAttempt }>> {
  const startedMs = needs.monotonicMs()
  let late = false
  let hostStatus: number | undefined
  const opened = needs.upstream.open(call.prepare(deployment, attempt))
  const timer = setTimeout(() => {
    late = true
    opened.cancel()
  }, needs.deadlines.firstByteMs)
  call.left.onLeave(() => opened.cancel())
  const failed = (outcome: FailedAttempt['outcome'], refusal: RoutingRefusal) => {
    const durationMs = needs.monotonicMs() - startedMs
    return err({ refusal, failed: { attempt, deployment, hostStatus, startedMs, durationMs, outcome } })
  }
  try {
    const answer = await opened.answer
    hostStatus = answer.status
    const succeeded = answer.status >= 200 && answer.status < 300
    const streamed = succeeded && call.streamed && answer.contentType.includes('text/event-stream')
    const first = streamed ? await answer.read() : await readWhole(answer, succeeded ? answerBytesMax : errorBytesMax)
    if (succeeded && !streamed && !isAnswer(first)) {
      needs.circuits.noteFailure(deployment, needs.monotonicMs())
      return failed('host_error', { reason: 'model_host_error' })
    }
    if (succeeded) {
      needs.circuits.noteAnswer(deployment)
      const durationMs = needs.monotonicMs() - startedMs
      return ok({
        attempt,
        deployment,
        hostStatus,
        startedMs,
        durationMs,
        answer,
        call: opened,
        first,
        firstByteMs: durationMs,
      })
    }
    if (refusedByHost.has(answer.status)) {
      needs.circuits.noteAnswer(deployment)
      return failed('host_refused', whatHostRefused(answer.status, first))
    }
    needs.circuits.noteFailure(deployment, needs.monotonicMs())
    return failed('host_error', whatHostFailed(answer))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    opened.cancel()
    if (call.left.left) return failed('client_left', { reason: 'caller_left' })
    needs.circuits.noteFailure(deployment, needs.monotonicMs())
    if (late) return failed('host_timeout', { reason: 'model_host_timeout' })
    return failed(
      'host_error',
      hostStatus === undefined
        ? { reason: 'model_host_unavailable', retryAfterSeconds: 5 }
        : { reason: 'model_host_error' },
    )
  } finally {
    clearTimeout(timer)
  }
}

const errorBytesMax = 64 * 1024
const closingBrace = 0x7d

/**
 * Hosts say 200 and fail all the same: with an error for a body, with half a body, with a proxy's page. Errors are short,
 * so that a long answer is not read for one; every answer is a JSON object and ends as one.
 */
function isAnswer(body: Uint8Array | undefined): boolean {
  if (body === undefined || body[body.findLastIndex((byte) => byte > 0x20)] !== closingBrace) return false
  if (body.length > errorBytesMax) return true
  const text = new TextDecoder().decode(body)
  if (!text.includes('"error"')) return true
  const answer = parse(text)
  return typeof answer === 'object' && answer !== null && !('error' in answer && answer.error !== null)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Statuses by which a host says that the request itself is wrong; another deployment would say the same. */
const refusedByHost: ReadonlySet<number> = new Set([400, 413, 415, 422])

/** Of a host's error text only two things are read: whether the context was too long, and which parameter is meant. */
function whatHostRefused(hostStatus: number, body: Uint8Array | undefined): RoutingRefusal {
  const text = body === undefined ? '' : new TextDecoder().decode(body.subarray(0, 16_384))
  const contextExceeded = /context_length_exceeded|maximum context length|exceeds? the (?:available )?context/i.test(
    text,
  )
  const param = /"param"\s*:\s*"([A-Za-z_][A-Za-z0-9_.[\]]{0,63})"/.exec(text)?.[1]
  return { reason: 'model_host_refused', hostStatus, contextExceeded, param }
}

function whatHostFailed(answer: UpstreamAnswer): RoutingRefusal {
  if (answer.status !== 429 && answer.status !== 503) return { reason: 'model_host_error' }
  const seconds = Number(answer.retryAfter)
  const known = Number.isFinite(seconds) && seconds > 0
  return { reason: 'model_host_unavailable', retryAfterSeconds: known ? Math.min(300, Math.ceil(seconds)) : 5 }
}

async function readWhole(answer: UpstreamAnswer, bytesMax: number): Promise<Uint8Array | undefined> {
  const first = await answer.read()
  if (first === undefined) return undefined
  const parts = [first]
  let length = first.length
  for (let part = await answer.read(); part !== undefined; part = await answer.read()) {
    length += part.length
    if (length > bytesMax)
      throw new Failure('model_host', `the answer is longer than ${bytesMax} bytes`, { retryable: false })
    parts.push(part)
  }
  if (parts.length === 1) return first
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
