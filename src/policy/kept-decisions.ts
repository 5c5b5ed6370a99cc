import type { PolicyVerdict } from './policy-verdict.ts'

/** In each of two generations. A decision is some hundred bytes. */
const KEPT_MAX = 10_000

/**
 * Decisions that were made, by all that they depend on: what has changed is another key, and is decided anew. When the
 * young are many they become the old, and the old are forgotten; a decision that is used again is young again. So it is
 * bounded, costs one look-up, and forgets only what nobody asks.
 */
export class KeptDecisions {
  #young = new Map<string, PolicyVerdict>()
  #old = new Map<string, PolicyVerdict>()
  readonly #keptMax: number

  constructor(keptMax = KEPT_MAX) {
    this.#keptMax = keptMax
  }

  find(key: string): PolicyVerdict | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.keep(key, old)
    return old
  }

  keep(key: string, verdict: PolicyVerdict): void {
    if (this.#young.size >= this.#keptMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, verdict)
  }

  /** How many are kept, at most twice the bound. */
  get size(): number {
    return this.#young.size + this.#old.size
  }
}
