import type { Log, Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { CallFacts, UsageEvent } from './usage-event.ts'

/** A call in flight, as the database keeps it in case this process dies. */
export interface OpenCall {
  readonly facts: CallFacts
  readonly bound: { readonly inputTokens: number; readonly outputTokens: number; readonly inferences: number }
  readonly deployment: string
  readonly region: string
  /** What each budget is charged with if nobody ever says what was used. */
  readonly holds: readonly { readonly budget: string; readonly periodStart: number; readonly atExpiry: string }[]
}

export interface Batch {
  readonly instanceId: Uuid
  readonly lane: number
  /** Counts up from one in each lane of an instance. */
  readonly number: number
  readonly events: readonly UsageEvent[]
  /** Calls whose open row is to go. */
  readonly ended: readonly { readonly tenantId: Uuid; readonly requestId: Uuid }[]
  readonly uses: readonly LeaseUse[]
}

/**
 * Writes a batch in one statement, or nothing of it. `repeated`: it had been written and its answer was lost. `fenced`:
 * the instance was taken for dead.
 * @throws Failure when the database did not answer; any other error when it refused a row.
 */
export type WriteBatch = (batch: Batch) => Promise<'written' | 'repeated' | 'fenced'>

/** Notes calls in flight, unless the instance was taken for dead. */
export type WriteOpen = (instanceId: Uuid, calls: readonly OpenCall[]) => Promise<void>

export interface CommitNeeds {
  readonly write: WriteBatch
  readonly writeOpen: WriteOpen
  readonly log: Log
  /** The name under which this instance runs now. */
  instanceId(): Uuid
  /** This instance was taken for dead: it must begin anew. */
  onFenced(): Promise<void>
  monotonicMs(): number
  pause(milliseconds: number): Promise<void>
}

export interface CommitOptions {
  readonly lanes: number
  readonly batchMax: number
  /** Events that may wait in one lane; beyond that no call is admitted. */
  readonly waitingMax: number
  /** After so long the calls of a batch are told that it failed. It is tried on all the same. */
  readonly giveUpMs: number
}
