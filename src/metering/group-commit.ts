import { Failure, type Log, type Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import { CommitLane } from './commit-lane.ts'
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
  readonly opened: readonly OpenCall[]
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

export interface CommitNeeds {
  readonly write: WriteBatch
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

/**
 * The ledger's queue. A lane writes one batch at a time; what arrives meanwhile is the next batch. There is no timer: an
 * idle lane writes at once, a busy one writes more rows at a time. A tenant always takes the same lane, so that no two
 * batches of an instance ever want the same row.
 */
export class GroupCommit {
  readonly #options: CommitOptions
  readonly #lanes: readonly CommitLane[]

  constructor(needs: CommitNeeds, options: CommitOptions) {
    this.#options = options
    this.#lanes = Array.from({ length: options.lanes }, (_, lane) => new CommitLane(lane, needs, options))
  }

  /** @throws Failure when so much waits that another call could not be settled in time. */
  requireRoom(tenantId: Uuid): void {
    if (this.#lane(tenantId).waiting >= this.#options.waitingMax)
      throw new Failure('database', 'the ledger is behind', { retryable: true })
  }

  /** Notes a call in flight. Nothing waits for it. */
  open(call: OpenCall): void {
    this.#lane(call.facts.tenantId).open(call)
  }

  /** A call is no longer in flight, and no row of its own says so. */
  close(call: Pick<CallFacts, 'tenantId' | 'requestId'>): void {
    this.#lane(call.tenantId).close(call)
  }

  /**
   * Resolves when the row is committed. `last` is said with the last row of a call: it is no longer in flight then.
   * @throws Failure when it could not be written in time.
   */
  append(event: UsageEvent, uses: readonly LeaseUse[], options: { last: boolean }): Promise<void> {
    return this.#lane(event.tenantId).append(event, uses, options)
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    for (const lane of this.#lanes) await lane.drained()
  }

  get waiting(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0)
  }

  #lane(tenantId: Uuid): CommitLane {
    // The last hex digits of a tenant's UUID are random.
    const lane = this.#lanes[Number.parseInt(tenantId.slice(-2), 16) % this.#lanes.length]
    if (lane === undefined) throw new RangeError('a group commit has at least one lane')
    return lane
  }
}
