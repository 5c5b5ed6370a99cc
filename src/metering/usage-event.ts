import type { Instant, Picos, Uuid } from '../kernel/index.ts'
import type { Operation } from '../identity/index.ts'

export type Outcome =
  | 'answered'
  /** The caller closed the connection; settled for what was delivered until then. */
  | 'client_left'
  /** A no came while the answer was on its way: a recall, a suspension, a revocation. Settled for what was delivered. */
  | 'cut'
  /** The host said that the request is wrong. */
  | 'host_refused'
  | 'host_error'
  | 'host_timeout'
  /** The host ended the answer before it was whole. */
  | 'host_closed'
  /** Our process died; settled at the upper bound and marked so. */
  | 'expired'

/** One row of the ledger: immutable, content-free. Times are whole milliseconds. */
export interface UsageEvent extends CallFacts {
  /** Counts from one; zero for a call that expired, of which nobody knows how many there were. */
  readonly attempt: number
  /** Whether the call ended with it: no attempt came after it, and what the call held is free. */
  readonly endsCall: boolean
  readonly outcome: Outcome
  readonly hostStatus: number | undefined
  readonly firstByteMs: number | undefined
  readonly durationMs: number
  readonly deployment: string
  readonly region: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly inferences: number
  readonly usageSource: 'host' | 'estimated' | 'bound' | 'none'
  readonly charge: Picos
}

/** What is known of a call from its admission on. */
export interface CallFacts {
  readonly tenantId: Uuid
  readonly requestId: Uuid
  /** The instance that admitted the call; only it may settle it. */
  readonly instanceId: Uuid
  readonly startedAt: Instant
  readonly operation: Operation
  readonly streamed: boolean
  readonly license: string
  readonly licenseRevision: number
  readonly facility: string
  readonly application: string
  readonly keyId: string
  readonly audience: string
  readonly purpose: string
  readonly model: string
  readonly version: string
  readonly plan: string
  readonly planRevision: number
  /** The ids of the owner's policies that permitted the call. */
  readonly policies: readonly string[]
  readonly currency: string
}
