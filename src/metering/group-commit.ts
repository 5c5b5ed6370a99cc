import { Failure } from '../kernel/index.ts'
import { endHolds, type LeaseUse } from '../quota/index.ts'
import type { CommitNeeds, CommitOptions, OpenCall } from './batch.ts'
import { CommitLane } from './commit-lane.ts'
import { Journal } from './journal.ts'
import type { EndedCall } from './packed-batch.ts'
import { SafeKeeping } from './safe-keeping.ts'
import { Unfolder } from './unfolder.ts'
import type { UsageEvent } from './usage-event.ts'

/** Rows in flight and waiting from which on a lane is busy. */
const busyAt = 64

/**
 * The ledger's queue. A lane writes one batch at a time; what arrives meanwhile is the next batch. There is no timer: an
 * idle lane writes at once, a busy one writes more rows at a time. A batch is one packed row, so that a commit costs as
 * little as a durable write can; the batches are unfolded into rows of the ledger soon after.
 */
export class GroupCommit {
  readonly #options: CommitOptions
  readonly #lanes: readonly CommitLane[]
  readonly #journal: Journal
  readonly #unfolder: Unfolder
  readonly #keeping: SafeKeeping

  constructor(needs: CommitNeeds, options: CommitOptions) {
    this.#options = options
    this.#unfolder = new Unfolder(needs, options.unfoldAfterMs)
    this.#keeping = new SafeKeeping(needs, this.#unfolder, options)
    this.#lanes = Array.from(
      { length: options.lanes },
      (_, lane) => new CommitLane(lane, needs, options, this.#keeping),
    )
    this.#journal = new Journal(needs, options)
  }

  /** @throws Failure when so much waits that another call could not be settled in time. */
  requireRoom(): void {
    if (this.waiting >= this.#options.waitingMax)
      throw new Failure('database', 'the ledger is behind', { retryable: true })
  }

  /** Notes a call in flight. Nothing waits for it. */
  open(call: OpenCall): void {
    this.#journal.note(call)
  }

  /** A call ends without a row, because no host was asked: its note goes, should there be one, and then its hold. */
  close(call: EndedCall, uses: readonly LeaseUse[]): void {
    if (!this.#end(call, this.#freeLane(), uses)) endHolds(uses)
  }

  /**
   * Resolves when the row is safe. With the row that ends a call it is no longer in flight, and its holds end.
   * @throws Failure when it could not be written in time.
   */
  append(event: UsageEvent, uses: readonly LeaseUse[]): Promise<void> {
    const lane = this.#freeLane()
    if (event.endsCall) this.#end(event, lane, [])
    return lane.append({ event, uses })
  }

  /** Resolves when nothing waits any more and every batch is unfolded. */
  async drained(): Promise<void> {
    await this.#journal.drained()
    for (const lane of this.#lanes) await lane.drained()
    await this.#keeping.drained()
    await this.#unfolder.drained()
  }

  /** Resolves when every row that is safe by now can be read in the ledger. */
  unfolded(): Promise<void> {
    return this.#unfolder.drained()
  }

  get waiting(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0)
  }

  /** @returns whether there is a note; with its removal the holds end. */
  #end({ tenantId, requestId }: EndedCall, lane: CommitLane, uses: readonly LeaseUse[]): boolean {
    return this.#journal.ended(requestId, () => lane.end({ call: { tenantId, requestId }, uses }))
  }

  /** Batches that only this machine's disk knows. */
  get spooled(): number {
    return this.#keeping.spooled
  }

  /** The first lane that is not busy; the later ones only help when many wait, so that few batches hold many rows. */
  #freeLane(): CommitLane {
    let free: CommitLane | undefined
    for (const lane of this.#lanes) {
      if (lane.waiting < busyAt) return lane
      if (free === undefined || lane.waiting < free.waiting) free = lane
    }
    if (free === undefined) throw new RangeError('a group commit has at least one lane')
    return free
  }
}
