import { z } from 'zod'
import { isUuid, type Log, type Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { Spool } from './spool.ts'
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

/** A row of the ledger with what it takes out of leases. Both happen or neither does. */
export interface SettledRow {
  readonly event: UsageEvent
  readonly uses: readonly LeaseUse[]
}

/** The name of a call in flight whose note is to go. */
export type EndedCall = Pick<CallFacts, 'tenantId' | 'requestId'>

/** Which batch of which lane: counts up from one in each lane of an instance. */
export interface BatchName {
  readonly instanceId: Uuid
  readonly lane: number
  readonly number: number
}

/** A batch as it is written: packed once, the same in the database and in the spool. */
export const PackedBatch = z.object({
  instanceId: z.string().refine(isUuid),
  lane: z.int(),
  number: z.int(),
  /** JSON array of usage events, each with its `uses`. */
  events: z.string(),
  /** JSON array of ended calls. */
  ended: z.string(),
})
export type PackedBatch = Readonly<z.infer<typeof PackedBatch>>

export function packBatch(
  name: BatchName,
  load: { rows: readonly SettledRow[]; ended: readonly EndedCall[] },
): PackedBatch {
  const { instanceId, lane, number } = name
  return {
    instanceId,
    lane,
    number,
    events: JSON.stringify(load.rows.map(packedRow)),
    ended: JSON.stringify(load.ended),
  }
}

const packedRow = ({ event, uses }: SettledRow) => ({
  ...event,
  charge: event.charge.toString(),
  uses: uses
    .filter(({ used }) => used > 0n)
    .map(({ pocket: { account }, used }) => ({
      budget: account.budget,
      periodStart: account.periodStart,
      used: used.toString(),
    })),
})

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
