import { Failure, type Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { CommitNeeds, CommitOptions, OpenCall } from './batch.ts'
import { CommitLane } from './commit-lane.ts'
import { Journal } from './journal.ts'
import type { CallFacts, UsageEvent } from './usage-event.ts'

/**
 * The ledger's queue. A lane writes one batch at a time; what arrives meanwhile is the next batch. There is no timer: an
 * idle lane writes at once, a busy one writes more rows at a time. A tenant always takes the same lane, so that no two
 * batches of an instance ever want the same row.
 */
export class GroupCommit {
  readonly #options: CommitOptions
  readonly #lanes: readonly CommitLane[]
  readonly #journal: Journal

  constructor(needs: CommitNeeds, options: CommitOptions) {
    this.#options = options
    this.#lanes = Array.from({ length: options.lanes }, (_, lane) => new CommitLane(lane, needs, options))
    this.#journal = new Journal(needs, options)
  }

  /** @throws Failure when so much waits that another call could not be settled in time. */
  requireRoom(tenantId: Uuid): void {
    if (this.#lane(tenantId).waiting >= this.#options.waitingMax)
      throw new Failure('database', 'the ledger is behind', { retryable: true })
  }

  /** Notes a call in flight. Nothing waits for it. */
  open(call: OpenCall): void {
    this.#journal.note(call)
  }

  /** A call is no longer in flight, and no row of its own says so. */
  async close(call: Pick<CallFacts, 'tenantId' | 'requestId'>): Promise<void> {
    if (await this.#journal.ended(call.requestId)) this.#lane(call.tenantId).end(call)
  }

  /**
   * Resolves when the row is committed. `last` is said with the last row of a call: it is no longer in flight then.
   * @throws Failure when it could not be written in time.
   */
  append(event: UsageEvent, uses: readonly LeaseUse[], options: { last: boolean }): Promise<void> {
    const lane = this.#lane(event.tenantId)
    const noted = options.last && this.#journal.ended(event.requestId)
    if (typeof noted === 'boolean') return lane.append(event, uses, { ends: noted })
    return noted.then((ends) => lane.append(event, uses, { ends }))
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.#journal.drained()
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
