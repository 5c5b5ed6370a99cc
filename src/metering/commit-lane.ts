import { Failure, requestName, type Uuid } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { Batch, CommitNeeds, CommitOptions } from './batch.ts'
import type { UsageEvent } from './usage-event.ts'

interface Waiting {
  readonly event: UsageEvent
  readonly uses: readonly LeaseUse[]
  readonly since: number
  told: boolean
  readonly resolve: () => void
  readonly reject: (error: Failure) => void
}

type Load = Pick<Batch, 'ended'> & { readonly waiting: readonly Waiting[] }

/** One lane of the group commit: at most one batch in flight, batches numbered without a gap. */
export class CommitLane {
  readonly #lane: number
  readonly #needs: CommitNeeds
  readonly #options: CommitOptions
  #waiting: Waiting[] = []
  #ended: { tenantId: Uuid; requestId: Uuid }[] = []
  #numbering: { instanceId: Uuid; last: number } | undefined
  #running: Promise<void> | undefined
  #inFlight = 0

  constructor(lane: number, needs: CommitNeeds, options: CommitOptions) {
    this.#lane = lane
    this.#needs = needs
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.length + this.#inFlight
  }

  /** `ends`: a note of this call in flight is to go with the row. */
  append(event: UsageEvent, uses: readonly LeaseUse[], options: { ends: boolean }): Promise<void> {
    if (event.instanceId !== this.#needs.instanceId()) return Promise.reject(fenced())
    if (options.ends) this.#ended.push({ tenantId: event.tenantId, requestId: event.requestId })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, uses, since: this.#needs.monotonicMs(), told: false, resolve, reject })
      this.#run()
    })
  }

  /** A call in flight has ended without a row of its own. */
  end(call: { tenantId: Uuid; requestId: Uuid }): void {
    this.#ended.push({ tenantId: call.tenantId, requestId: call.requestId })
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
    // Whatever arrives in this turn of the event loop goes into the first batch.
    await Promise.resolve()
    while (this.#hasWork()) {
      const load = this.#takeLoad()
      this.#inFlight = load.waiting.length
      await this.#writeLoad(load)
      this.#inFlight = 0
    }
  }

  #takeLoad(): Load {
    const { batchMax } = this.#options
    const waiting = this.#waiting.splice(0, batchMax)
    return { waiting, ended: this.#ended.splice(0, batchMax) }
  }

  /** Tries until the database has answered. After `giveUpMs` the calls are told; the rows are not given up. */
  async #writeLoad(load: Load): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const instanceId = this.#needs.instanceId()
      if (load.waiting.some(({ event }) => event.instanceId !== instanceId)) return this.#refuse(load, fenced())
      if (this.#numbering?.instanceId !== instanceId) this.#numbering = { instanceId, last: 0 }
      const { last } = this.#numbering
      try {
        const outcome = await this.#needs.write(this.#batchOf(load, instanceId, last + 1))
        if (outcome === 'fenced') {
          this.#refuse(load, fenced())
          if (instanceId === this.#needs.instanceId()) await this.#needs.onFenced()
          return
        }
        this.#numbering = { instanceId, last: last + 1 }
        for (const { uses, resolve } of load.waiting) {
          for (const use of uses) use.pocket.committed(use.used)
          resolve()
        }
        return
      } catch (error) {
        if (!(error instanceof Failure)) return this.#writeApart(load, error)
        this.#tellWhoWaitedLong(load)
        if (attempt === 0) this.#needs.log.warn('ledger.write_failed', { lane: this.#lane, rows: load.waiting.length })
        await this.#needs.pause(Math.min(500, 20 * 2 ** Math.min(attempt, 5)))
      }
    }
  }

  /** The database refused a row: the others are written without it, and it is said loudly. */
  async #writeApart(load: Load, error: unknown): Promise<void> {
    const [only] = load.waiting
    if (load.waiting.length + load.ended.length <= 1) {
      const request = only === undefined ? undefined : requestName(only.event.requestId)
      this.#needs.log.error('ledger.row_refused', { lane: this.#lane, request }, error)
      only?.reject(new Failure('database', 'the ledger refused a row', { retryable: false, cause: error }))
      return
    }
    for (const waiting of load.waiting) await this.#writeLoad({ waiting: [waiting], ended: [] })
    for (const ended of load.ended) await this.#writeLoad({ waiting: [], ended: [ended] })
  }

  #batchOf(load: Load, instanceId: Uuid, number: number): Batch {
    return {
      instanceId,
      lane: this.#lane,
      number,
      ended: load.ended,
      events: load.waiting.map(({ event }) => event),
      uses: load.waiting.flatMap(({ uses }) => uses),
    }
  }

  #refuse(load: Load, error: Failure): void {
    for (const { reject } of load.waiting) reject(error)
  }

  #tellWhoWaitedLong(load: Load): void {
    const now = this.#needs.monotonicMs()
    for (const waiting of [...load.waiting, ...this.#waiting])
      if (!waiting.told && now - waiting.since >= this.#options.giveUpMs) {
        waiting.told = true
        waiting.reject(new Failure('database', 'the ledger could not be written in time', { retryable: true }))
      }
  }
}

const fenced = (): Failure =>
  new Failure('database', 'this instance was taken for dead; its calls were settled for it', { retryable: false })
