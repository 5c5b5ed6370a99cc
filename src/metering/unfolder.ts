import { Failure } from '../kernel/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import { pause, type CommitNeeds } from './batch.ts'
import type { BatchName } from './packed-batch.ts'

/** A batch that is known to be written, and the uses of leases that it brings. */
interface Written {
  readonly batch: BatchName
  readonly uses: readonly LeaseUse[]
}

/** More batches than this in one statement gain nothing. */
const batchesMax = 200

/**
 * Turns the batches that were written into rows of the ledger, many at a time and beside the calls: nobody waits for it
 * but who reads the ledger. Until a batch is unfolded, its leases are not closed.
 */
export class Unfolder {
  readonly #needs: Pick<CommitNeeds, 'unfold' | 'setAside' | 'time' | 'log'>
  readonly #afterMs: number
  readonly #waiting: Written[] = []
  #timer: { cancel(): void } | undefined
  #running: Promise<void> | undefined

  constructor(needs: Pick<CommitNeeds, 'unfold' | 'setAside' | 'time' | 'log'>, afterMs: number) {
    this.#needs = needs
    this.#afterMs = afterMs
  }

  add(batch: BatchName, uses: readonly LeaseUse[]): void {
    this.#waiting.push({ batch, uses })
    if (this.#running !== undefined || this.#timer !== undefined) return
    this.#timer = this.#needs.time.after(this.#afterMs, () => this.#run())
  }

  /** Unfolds what waits now without waiting for more. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#running !== undefined) {
      this.#run()
      await this.#running
    }
  }

  #run(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#running ??= this.#unfoldAll().finally(() => {
      this.#running = undefined
      if (this.#waiting.length > 0) this.#timer ??= this.#needs.time.after(this.#afterMs, () => this.#run())
    })
  }

  async #unfoldAll(): Promise<void> {
    // What arrives meanwhile waits for its own time, so that it goes in company.
    let left = this.#waiting.length
    while (left > 0) {
      const [first] = this.#waiting
      const instanceId = first?.batch.instanceId
      const some = this.#waiting
        .slice(0, Math.min(left, batchesMax))
        .filter((one) => one.batch.instanceId === instanceId)
      await this.#unfold(some)
      this.#remove(some)
      left -= some.length
    }
  }

  #remove(done: readonly Written[]): void {
    const gone = new Set(done)
    const kept = this.#waiting.filter((one) => !gone.has(one))
    this.#waiting.splice(0, this.#waiting.length, ...kept)
  }

  async #unfold(some: readonly Written[]): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        const done = await this.#needs.unfold(some.map(({ batch }) => batch))
        // A row that stands there already came twice. It counts once; that it came twice is worth a line.
        if (done.written !== done.rows)
          this.#needs.log.warn('ledger.repeated_rows', { rows: done.rows, written: done.written })
        // Cannot happen while the leases are ours; if it ever does, it must not stay silent.
        if (done.settled !== done.uses)
          this.#needs.log.error('ledger.lease_missing', { leases: done.uses, settled: done.settled })
        break
      } catch (error) {
        if (!(error instanceof Failure)) {
          await this.#unfoldApart(some, error)
          return
        }
        if (attempt === 0) this.#needs.log.warn('ledger.unfold_failed', { batches: some.length })
        await pause(this.#needs.time, Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)))
      }
    }
    for (const { uses } of some) for (const { pocket, used } of uses) pocket.committed(used)
  }

  /** The ledger refused a row: the other batches are unfolded without it, and it is said loudly. */
  async #unfoldApart(some: readonly Written[], error: unknown): Promise<void> {
    const [only] = some
    if (only === undefined) return
    if (some.length > 1) {
      for (const one of some) await this.#unfold([one])
      return
    }
    const { lane, number } = only.batch
    this.#needs.log.error('ledger.batch_refused', { lane, number }, error)
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#needs.setAside(only.batch, error instanceof Error ? error.message : 'unknown error')
        return
      } catch {
        await pause(this.#needs.time, Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)))
      }
    }
  }
}
