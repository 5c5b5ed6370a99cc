import type { PocketTime, Turn } from './budget-pocket.ts'

/** Where the count of a window is kept for all instances: a table of ours or Redis. Both count the same way. */
export interface RateStore {
  /**
   * Takes points of a key's window, which begins with its first point.
   * @returns what is left and when the window ends; `taken` is false when there were not enough, and then none is taken.
   */
  take(window: { key: string; limit: number; points: number }): Promise<{
    taken: boolean
    left: number
    endsInMs: number
  }>
  /** Gives back points that were taken and not used. */
  giveBack(window: { key: string; limit: number; points: number }): Promise<void>
}

export interface RateShortage {
  readonly retryAfterMs: number
}

/**
 * What one instance holds of one window of a rate: a few points taken at once from the shared count, so that most
 * calls ask nobody. It takes a sixteenth of the limit or an eighth of what is left, whichever is less, but always what
 * is needed; so little is left over in other instances when the last points go.
 */
export class RatePocket {
  readonly #store: RateStore
  readonly #time: PocketTime
  readonly #exact: boolean
  readonly key: string
  limit: number
  #free = 0
  #left: number
  #window = 0
  #endsAtMs = 0
  #refusedUntilMs = 0
  #refusedNeed = Number.POSITIVE_INFINITY
  #asking: Promise<void> | undefined

  /** `exact`: takes what is needed and nothing for calls to come. */
  constructor(needs: { store: RateStore; time: PocketTime; exact?: boolean }, key: string, limit: number) {
    this.#store = needs.store
    this.#time = needs.time
    this.#exact = needs.exact === true
    this.key = key
    this.limit = limit
    this.#left = limit
  }

  get free(): number {
    return this.#time.monotonicMs() < this.#endsAtMs ? this.#free : 0
  }

  /** What callers are told: as far as this instance knows. */
  get told(): { limit: number; remaining: number; resetSeconds: number } {
    const leftMs = Math.max(0, this.#endsAtMs - this.#time.monotonicMs())
    const remaining = leftMs === 0 ? this.limit : Math.min(this.limit, this.#left + this.#free)
    return { limit: this.limit, remaining: Math.max(0, remaining), resetSeconds: Math.ceil(leftMs / 1000) }
  }

  /** Whether its window has ended, so that it holds nothing. One that has not asked yet is about to. */
  get isOver(): boolean {
    return this.#endsAtMs > 0 && this.#time.monotonicMs() >= this.#endsAtMs && this.#asking === undefined
  }

  /** Whether it is known that there are too few points, without asking. Known for a quarter of a second. */
  knownShortage(needMin: number): RateShortage | undefined {
    const leftMs = this.#refusedUntilMs - this.#time.monotonicMs()
    return leftMs > 0 && needMin >= this.#refusedNeed ? { retryAfterMs: this.#windowLeftMs() } : undefined
  }

  #windowLeftMs(): number {
    return Math.max(1, this.#endsAtMs - this.#time.monotonicMs())
  }

  /** Takes points that the caller has seen to be free, in the same turn. Returns the window they are of. */
  reserve(points: number): number {
    this.#free -= points
    return this.#window
  }

  /** Gives back what was reserved and not used, if its window still runs. */
  giveBack(points: number, window: number): void {
    if (window === this.#window && points > 0) this.#free += points
  }

  /** Returns what is free to the shared count, if its window still runs. */
  async giveBackFree(): Promise<void> {
    const points = this.free
    this.#free = 0
    if (points > 0) await this.#store.giveBack({ key: this.key, limit: this.limit, points })
  }

  /** Gets more points, one request at a time for all who wait. A turn holds nothing aside: whoever looks first has it. */
  async waitFor(need: { needMin: number; need: number }): Promise<Turn | RateShortage> {
    const known = this.knownShortage(need.needMin)
    if (known !== undefined) return known
    if (this.#asking !== undefined) {
      await this.#asking
      return { promised: 0n }
    }
    let shortage: RateShortage | undefined
    this.#asking = this.#ask(need).then((outcome) => {
      shortage = outcome
    })
    try {
      await this.#asking
    } finally {
      this.#asking = undefined
    }
    return shortage ?? { promised: 0n }
  }

  async #ask(need: { needMin: number; need: number }): Promise<RateShortage | undefined> {
    const { free } = this
    const missing = need.need - free
    if (need.needMin > this.limit) return { retryAfterMs: 60_000 }
    const plenty = this.#exact ? 0 : Math.floor(Math.min(this.limit / 16, this.#left / 8))
    const points = Math.min(this.limit, Math.max(missing, plenty))
    const answer = await this.#take(points)
    if (answer.taken) return undefined
    // Less would do, or what is left is less than a handful: take that.
    const rest = Math.min(answer.left, points)
    if (free + rest >= need.needMin && rest > 0 && (await this.#take(rest)).taken) return undefined
    const retryAfterMs = Math.max(1, answer.endsInMs)
    this.#refusedUntilMs = this.#time.monotonicMs() + Math.min(retryAfterMs, 250)
    this.#refusedNeed = need.needMin
    return { retryAfterMs }
  }

  async #take(points: number) {
    const answer = await this.#store.take({ key: this.key, limit: this.limit, points })
    const endsAtMs = this.#time.monotonicMs() + answer.endsInMs
    // The same window ends at the same time, give or take the way there; a later end is a new window.
    if (endsAtMs > this.#endsAtMs + 1_000) {
      this.#window++
      this.#free = 0
      this.#endsAtMs = endsAtMs
    }
    this.#left = answer.left
    if (answer.taken) this.#free += points
    return answer
  }
}
