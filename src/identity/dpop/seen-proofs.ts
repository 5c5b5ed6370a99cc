import { proofSeconds, type Proof } from './check-proof.ts'

/** In one window and of one client: some 400 proofs a second. */
const proofsMax = 50_000
/** A proof is good for a minute on both sides of now; what is older than two windows cannot be shown any more. */
const windowMs = 2 * proofSeconds * 1000

interface Shown {
  readonly beganMs: number
  readonly current: Set<string>
  readonly before: ReadonlySet<string>
}

/**
 * Proofs that were shown beside a token, in this process, for as long as they could be shown again. Only a proof of the
 * key that a living token is bound to comes here, so that no stranger fills it; whoever fills their own share waits.
 */
export class SeenProofs {
  readonly #byClient = new Map<string, Shown>()

  /** Whether it is the first. `full`: nothing can be said, and so no. */
  show(clientId: string, { thumbprint, jti }: Proof, nowMs: number): 'first' | 'seen' | 'full' {
    const shown = this.#shownBy(clientId, nowMs)
    const name = `${thumbprint} ${jti}`
    if (shown.current.has(name) || shown.before.has(name)) return 'seen'
    if (shown.current.size >= proofsMax) return 'full'
    shown.current.add(name)
    return 'first'
  }

  #shownBy(clientId: string, nowMs: number): Shown {
    const shown = this.#byClient.get(clientId)
    if (shown !== undefined && nowMs - shown.beganMs < windowMs) return shown
    const isRecent = shown !== undefined && nowMs - shown.beganMs < 2 * windowMs
    const next: Shown = { beganMs: nowMs, current: new Set(), before: isRecent ? shown.current : new Set() }
    this.#byClient.delete(clientId)
    this.#forgetOld(nowMs)
    this.#byClient.set(clientId, next)
    return next
  }

  /** Clients stand in the order in which their windows began. */
  #forgetOld(nowMs: number): void {
    for (const [clientId, { beganMs }] of this.#byClient) {
      if (nowMs - beganMs < 2 * windowMs) return
      this.#byClient.delete(clientId)
    }
  }
}
