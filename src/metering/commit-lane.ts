import { Failure, requestName, type Uuid } from '../kernel/index.ts'
import { pause, type CommitNeeds, type CommitOptions } from './batch.ts'
import { endHolds, type LeaseUse } from '../quota/index.ts'
import { packBatch, type EndedCall, type SettledRow } from './packed-batch.ts'
import type { SafeKeeping } from './safe-keeping.ts'

interface Waiting extends SettledRow {
  readonly since: number
  told: boolean
  readonly resolve: () => void
  readonly reject: (error: Failure) => void
}

/** A call whose note is to go, and what is held until it has gone. */
interface Ending {
  readonly call: EndedCall
  readonly uses: readonly LeaseUse[]
}

interface Load {
  readonly rows: readonly Waiting[]
  readonly ended: readonly Ending[]
}

/** One lane of the group commit: at most one batch in flight, batches numbered without a gap. */
export class CommitLane {
  readonly #lane: number
  readonly #needs: CommitNeeds
  readonly #options: CommitOptions
  readonly #keeping: SafeKeeping
  #waiting: Waiting[] = []
  #ended: Ending[] = []
  #numbering: { instanceId: Uuid; last: number } | undefined
  #running: Promise<void> | undefined
  #inFlight = 0

  constructor(lane: number, needs: CommitNeeds, options: CommitOptions, keeping: SafeKeeping) {
    this.#lane = lane
    this.#needs = needs
    this.#options = options
    this.#keeping = keeping
  }

  get waiting(): number {
    return this.#waiting.length + this.#inFlight
  }

  append(row: SettledRow): Promise<void> {
    if (row.event.instanceId !== this.#needs.instanceId()) return Promise.reject(fenced())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...row, since: this.#needs.time.monotonicMs(), told: false, resolve, reject })
      this.#run()
    })
  }

  /** There is a note of a call in flight that has to go. It goes with the next batch, or soon. */
  end(ending: Ending): void {
    this.#ended.push(ending)
    this.#run()
  }

  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #run(): void {
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined
      if (this.#hasWork()) this.#run()
    })
  }

  #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#ended.length > 0
  }

  async #writeAll(): Promise<void> {
    while (this.#hasWork()) {
      // Calls that end in this turn of the event loop go into the same batch: the busier, the more.
      await new Promise<void>((resolve) => this.#needs.time.soon(resolve))
      const load = this.#takeLoad()
      this.#inFlight = load.rows.length
      await this.#writeLoad(load)
      this.#inFlight = 0
    }
  }

  #takeLoad(): Load {
    const { batchMax } = this.#options
    return { rows: this.#waiting.splice(0, batchMax), ended: this.#ended.splice(0, batchMax) }
  }

  /** Tries until the batch is safe. After `giveUpMs` the calls are told; the rows are not given up. */
  async #writeLoad(taken: Load): Promise<void> {
    const instanceId = this.#needs.instanceId()
    const load = { ...taken, rows: taken.rows.filter(({ event }) => event.instanceId === instanceId) }
    // Calls of an instance that was taken for dead were settled for it. Their neighbors are of the one that lives.
    for (const row of taken.rows) if (row.event.instanceId !== instanceId) row.reject(fenced())
    if (load.rows.length === 0 && load.ended.length === 0) return
    if (this.#numbering?.instanceId !== instanceId) this.#numbering = { instanceId, last: 0 }
    const number = ++this.#numbering.last
    const ended = load.ended.map(({ call }) => call)
    const batch = packBatch({ instanceId, lane: this.#lane, number }, { rows: load.rows, ended })
    const uses = [...load.rows, ...load.ended].flatMap((end) => end.uses)
    for (let attempt = 0; ; attempt++) {
      try {
        const outcome = await this.#keeping.keep(batch, uses)
        if (outcome === 'kept') {
          for (const { resolve } of load.rows) resolve()
          return
        }
        refuse(load, fenced())
        if (instanceId === this.#needs.instanceId()) await this.#needs.onFenced()
        return
      } catch (error) {
        if (!(error instanceof Failure)) {
          // A bug: a batch is one packed row, of which the database has nothing to say.
          const requests = load.rows.map(({ event }) => requestName(event.requestId))
          this.#needs.log.error('ledger.write_refused', { lane: this.#lane, requests }, error)
          // What was used stays taken in this instance's leases; a slot would be lost for ever.
          endHolds(uses)
          return refuse(load, new Failure('database', 'the ledger refused a batch', { retryable: false, cause: error }))
        }
        this.#tellWhoWaitedLong(load)
        if (attempt === 0) this.#needs.log.warn('ledger.write_failed', { lane: this.#lane, rows: load.rows.length })
        await pause(this.#needs.time, Math.min(500, 20 * 2 ** Math.min(attempt, 5)))
      }
    }
  }

  #tellWhoWaitedLong(load: Load): void {
    const now = this.#needs.time.monotonicMs()
    for (const waiting of [...load.rows, ...this.#waiting])
      if (!waiting.told && now - waiting.since >= this.#options.giveUpMs) {
        waiting.told = true
        waiting.reject(new Failure('database', 'the ledger could not be written in time', { retryable: true }))
      }
  }
}

function refuse(load: Load, error: Failure): void {
  for (const { reject } of load.rows) reject(error)
}

const fenced = (): Failure =>
  new Failure('database', 'this instance was taken for dead; its calls were settled for it', { retryable: false })
