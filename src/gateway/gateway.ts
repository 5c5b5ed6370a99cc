import type { Clock, Defer, Log, Uuid } from '../kernel/index.ts'
import type { EntryQueue } from '../audit/index.ts'
import type { Database } from '../db/index.ts'
import type { PlanRevision, StripeDoor } from '../billing/index.ts'
import type { ClientNeeds, Credential, IdentityNeeds } from '../identity/index.ts'
import type { LicensingNeeds } from '../licensing/index.ts'
import type { GroupCommit } from '../metering/index.ts'
import type { PolicyNeeds } from '../policy/index.ts'
import type { Lender } from '../quota/index.ts'
import type { CallNeeds, ChooseNeeds, Deployment } from '../routing/index.ts'
import type { Instant } from '../kernel/index.ts'
import type { Directory } from './directory.ts'
import type { OpenStreams } from './open-streams.ts'

/** Everything that a call needs, put together once per process. The gates take from it what their own `Needs` say. */
export interface Gateway extends IdentityNeeds, ClientNeeds, LicensingNeeds, PolicyNeeds, ChooseNeeds, CallNeeds {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly database: Database
  readonly directory: Directory
  /** Answers that are on their way: a no that comes meanwhile cuts them. */
  readonly openStreams: OpenStreams
  readonly lender: Lender
  readonly ledger: GroupCommit
  /** What gates refused, on its way to the audit entries. */
  readonly entries: EntryQueue
  readonly deferred: Defer
  readonly bodyBytesMax: number
  /** Whose events are taken; undefined where nothing of Stripe runs. */
  readonly stripe: StripeDoor | undefined
  /** Where callers can connect with a TLS certificate, if anywhere. */
  mtlsUrl(): string | undefined
  monotonicMs(): number
  newRequestId(): Uuid
  planAt(plan: string, at: Instant): PlanRevision | undefined
  /** One-way, per tenant: the same user of two tenants has two pseudonyms. */
  pseudonym(tenantId: Uuid, value: string): string
  /** The secret of a deployment, from this process's environment. */
  credential(deployment: Deployment): string | undefined
  /** Whether the process is on its way out; it then says so to load balancers. */
  isStopping(): boolean
}

/** Numbers for operators: no tenant, no content. */
export interface Meter {
  callEnded(call: {
    readonly operation: string
    /** A model of the catalog, or `none`. */
    readonly model: string
    /** An outcome of the ledger, or the code of a refusal. */
    readonly outcome: string
    readonly status: number
    readonly durationMs: number
    readonly firstByteMs: number | undefined
    readonly inputTokens: number
    readonly outputTokens: number
  }): void
}

/** What an edge hands over with each request. */
export interface Asking extends Credential {
  readonly requestId: Uuid
  readonly now: Instant
  readonly startedMs: number
  readonly facility: string | undefined
  readonly purpose: string | undefined
  /** W3C trace context, passed on to the model host. */
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}
