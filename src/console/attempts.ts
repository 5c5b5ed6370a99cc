import type { Instant } from '../kernel/index.ts'

const windowMs = 60_000
/** Addresses remembered at once; the one that was wrong longest ago gives way. */
const addressesMax = 10_000

/** What went wrong by address: so often in a minute, then for the rest of that minute nothing is tried any more. */
export class Attempts {
  readonly #wrongMax: number
  readonly #wrong = new Map<string, { count: number; endsAt: number }>()

  constructor(wrongMax: number) {
    this.#wrongMax = wrongMax
  }

  /** Seconds until the address may try again; undefined when it may now. */
  waitSeconds(address: string, now: Instant): number | undefined {
    const known = this.#wrong.get(address)
    if (known === undefined || known.endsAt <= now || known.count < this.#wrongMax) return undefined
    return Math.ceil((known.endsAt - now) / 1000)
  }

  noteWrong(address: string, now: Instant): void {
    const known = this.#wrong.get(address)
    const isRunning = known !== undefined && known.endsAt > now
    this.#wrong.delete(address)
    this.#wrong.set(address, isRunning ? { ...known, count: known.count + 1 } : { count: 1, endsAt: now + windowMs })
    const [longestAgo] = this.#wrong.keys()
    if (this.#wrong.size > addressesMax && longestAgo !== undefined) this.#wrong.delete(longestAgo)
  }
}
