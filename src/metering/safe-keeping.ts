import { Failure } from '../kernel/index.ts'
import { endHolds, type LeaseUse } from '../quota/index.ts'
import { pause, type CommitNeeds, type WriteBatch } from './batch.ts'
import type { PackedBatch } from './packed-batch.ts'
import type { Unfolder } from './unfolder.ts'

type Kept = 'kept' | 'fenced'
type Outcome = Awaited<ReturnType<WriteBatch>>

/** The pause between two looks whether the database is back. */
const lookAgainMs = 250

/**
 * Makes a batch safe, so that no crash of ours loses it: in the database, and while that is away in the spool. Then, and
 * not before, the holds of its calls end. What was
 * spooled is written as soon as the database is back, under the same number, so that a batch of which both have heard
 * counts once.
 */
export class SafeKeeping {
  readonly #needs: CommitNeeds
  readonly #unfolder: Unfolder
  readonly #spoolAfterMs: number
  /** Uses of the batches in the spool that are not replayed yet, in their order. */
  readonly #spooled: (readonly LeaseUse[])[] = []
  /** Batches at the beginning of the spool that the database has by now. */
  #replayed = 0
  #isAway = false
  #replaying: Promise<void> | undefined
  #isStopping = false

  constructor(needs: CommitNeeds, unfolder: Unfolder, options: { spoolAfterMs: number }) {
    this.#needs = needs
    this.#unfolder = unfolder
    this.#spoolAfterMs = options.spoolAfterMs
  }

  /** Batches that only this machine's disk knows. */
  get spooled(): number {
    return this.#spooled.length
  }

  /**
   * Resolves when the batch is safe.
   * @throws Failure when neither the database nor the spool took it; the same batch is to be brought again.
   */
  async keep(batch: PackedBatch, uses: readonly LeaseUse[]): Promise<Kept> {
    if (this.#isAway && (await this.#spool(batch, uses))) return 'kept'
    const written = this.#needs.write(batch)
    const inTime = this.#needs.spool === undefined ? await written : await this.#inTime(written)
    if (inTime !== undefined) return this.#known(inTime, batch, uses)
    if (!this.#isAway) this.#needs.log.warn('ledger.spooling', { lane: batch.lane, number: batch.number })
    this.#isAway = true
    if (!(await this.#spool(batch, uses))) return this.#known(await written, batch, uses)
    // Should it be written all the same, it stands there twice, and its rows count once.
    written.then((outcome) => this.#known(outcome, batch, [])).catch(() => {})
    return 'kept'
  }

  /** Resolves when the spool is empty, or the database is away: then it waits on disk for whoever comes next. */
  async drained(): Promise<void> {
    this.#isStopping = true
    await this.#replaying
  }

  /** The database's answer, or undefined when it has none in time or is away. */
  async #inTime(written: Promise<Outcome>): Promise<Outcome | undefined> {
    let timer: { cancel(): void } | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = this.#needs.time.after(this.#spoolAfterMs, () => resolve(undefined))
    })
    try {
      return await Promise.race([written, late])
    } catch (error) {
      if (error instanceof Failure) return undefined
      throw error
    } finally {
      timer?.cancel()
    }
  }

  #known(outcome: Outcome, batch: PackedBatch, uses: readonly LeaseUse[]): Kept {
    if (outcome === 'fenced') return 'fenced'
    endHolds(uses)
    this.#unfolder.add(batch, uses)
    return 'kept'
  }

  async #spool(batch: PackedBatch, uses: readonly LeaseUse[]): Promise<boolean> {
    try {
      await this.#needs.spool?.append(batch)
    } catch (error) {
      this.#needs.log.error('ledger.spool_refused', { lane: batch.lane, number: batch.number }, error)
      return false
    }
    endHolds(uses)
    this.#spooled.push(uses)
    this.#replaying ??= this.#replayUntilBack().finally(() => {
      this.#replaying = undefined
    })
    return true
  }

  async #replayUntilBack(): Promise<void> {
    for (;;) {
      await pause(this.#needs.time, lookAgainMs)
      try {
        if (await this.#replay()) return
      } catch (error) {
        if (!(error instanceof Failure)) this.#needs.log.error('ledger.replay_broke', {}, error)
        if (this.#isStopping) return
      }
    }
  }

  /** True when everything in the spool is in the database, and the spool is empty. @throws Failure */
  async #replay(): Promise<boolean> {
    const { spool } = this.#needs
    if (spool === undefined) return true
    let index = 0
    for await (const batch of spool.read()) {
      if (index++ < this.#replayed) continue
      const outcome = await this.#needs.write(batch)
      if (outcome === 'fenced') await this.#needs.writeLate(batch)
      else this.#unfolder.add(batch, this.#spooled[0] ?? [])
      this.#spooled.shift()
      this.#replayed++
      // It is back: new batches go straight to it, while the old ones follow.
      this.#isAway = false
    }
    if (!(await spool.clear(this.#replayed))) return false
    this.#needs.log.info('ledger.replayed', { batches: this.#replayed })
    this.#replayed = 0
    return true
  }
}
