import type { Log, Uuid } from '../kernel/index.ts'
import type { BatchName, PackedBatch } from './packed-batch.ts'
import type { Spool } from './spool.ts'
import type { CallFacts } from './usage-event.ts'

/** A call in flight, as the database keeps it in case this process dies. */
export interface OpenCall {
  readonly facts: CallFacts
  readonly bound: { readonly inputTokens: number; readonly outputTokens: number; readonly inferences: number }
  readonly deployment: string
  readonly region: string
  /** What each budget is charged with if nobody ever says what was used. */
  readonly holds: readonly { readonly budget: string; readonly periodStart: number; readonly atExpiry: string }[]
}

/**
 * Writes a batch durably, or nothing of it. `repeated`: it had been written and its answer was lost. `fenced`: the
 * instance was taken for dead.
 * @throws Failure when the database did not answer; any other error when it refused the batch.
 */
export type WriteBatch = (batch: PackedBatch) => Promise<'written' | 'repeated' | 'fenced'>

/** What came of batches that were unfolded. */
export interface Unfolded {
  readonly batches: number
  /** Rows that the batches held, and those of them that the ledger did not have yet. */
  readonly rows: number
  readonly written: number
  /** Leases that the written rows took from, and those of them that were there. */
  readonly uses: number
  readonly settled: number
}

/**
 * Turns written batches of one instance into rows of the ledger, in one transaction. A row that the ledger has already
 * changes nothing, its leases neither.
 * @throws Failure when the database did not answer; any other error when it refused a row, and then nothing was done.
 */
export type UnfoldBatches = (batches: readonly BatchName[]) => Promise<Unfolded>

/**
 * Writes the rows of a batch whose instance was taken for dead before it came: straight into the ledger and the
 * budgets, whose leases are gone.
 * @throws Failure when the database did not answer.
 */
export type WriteLate = (batch: PackedBatch) => Promise<void>

/** Sets a batch aside that the ledger refuses, for an operator to book. */
export type SetAside = (batch: BatchName, why: string) => Promise<void>

/** Notes calls in flight, unless the instance was taken for dead. */
export type WriteOpen = (instanceId: Uuid, calls: readonly OpenCall[]) => Promise<void>

/** The time of a group commit: simulated in tests. */
export interface CommitTime {
  monotonicMs(): number
  /** Runs `wake` after that many milliseconds, or never when cancelled first. */
  after(milliseconds: number, wake: () => void): { cancel(): void }
  /** Runs `work` when what has already arrived is dealt with: at once when that is nothing. */
  soon(work: () => void): void
}

export interface CommitNeeds {
  readonly write: WriteBatch
  readonly unfold: UnfoldBatches
  readonly setAside: SetAside
  readonly writeLate: WriteLate
  /** Undefined where there is no disk: what cannot be written is then told to the caller. */
  readonly spool: Spool | undefined
  readonly writeOpen: WriteOpen
  readonly time: CommitTime
  readonly log: Log
  /** The name under which this instance runs now. */
  instanceId(): Uuid
  /** This instance was taken for dead: it must begin anew. */
  onFenced(): Promise<void>
}

export interface CommitOptions {
  readonly lanes: number
  readonly batchMax: number
  /** Events that may wait in all lanes; beyond that no call is admitted. */
  readonly waitingMax: number
  /** After so long the calls of a batch are told that it failed. It is tried on all the same. */
  readonly giveUpMs: number
  /** A call that ends sooner needs no note. */
  readonly noteAfterMs: number
  /** Batches wait so long for others before they are unfolded together. */
  readonly unfoldAfterMs: number
  /** A batch that the database has not taken after so long goes to the spool. */
  readonly spoolAfterMs: number
}

export const pause = (time: CommitTime, milliseconds: number): Promise<void> =>
  new Promise((resolve) => void time.after(milliseconds, resolve))
