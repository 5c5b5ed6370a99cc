import { Failure, type Log } from '../../kernel/index.ts'
import type { ShownProof } from '../store-proofs.ts'

/** In one statement. */
const batchMax = 500
/** That wait for one. A call more is not shared, and held against this process' own memory alone. */
const waitingMax = 5_000
/** After a failure: calls go on without the database, and must not each wait for it. */
const pauseMs = 5_000

interface SharedProofsNeeds {
  readonly log: Log
  /** Notes them, and says which nobody had seen. @throws Failure when the database is away. */
  remember(shown: readonly ShownProof[]): Promise<ReadonlySet<string>>
  monotonicMs(): number
}

/**
 * Proofs that any process has seen. One statement is under way at a time, and whoever comes meanwhile goes with the next:
 * a single call waits for nobody, and a thousand at once cost two statements. While the database is away a proof is held
 * against this process' own memory alone: an outage of ours refuses no call.
 */
export class SharedProofs {
  readonly #needs: SharedProofsNeeds
  #waiting: { readonly proof: ShownProof; readonly answer: (verdict: 'first' | 'seen') => void }[] = []
  #isUnderWay = false
  #pausedUntilMs = Number.NEGATIVE_INFINITY

  constructor(needs: SharedProofsNeeds) {
    this.#needs = needs
  }

  /** Whether no process has seen it. What this process has seen itself is not asked here. */
  show(proof: ShownProof): Promise<'first' | 'seen'> {
    if (this.#needs.monotonicMs() < this.#pausedUntilMs || this.#waiting.length >= waitingMax)
      return Promise.resolve('first')
    return new Promise((answer) => {
      this.#waiting.push({ proof, answer })
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax)
      const first = await this.#remember(batch.map(({ proof }) => proof))
      for (const { proof, answer } of batch) answer(first?.has(proof.digest) === false ? 'seen' : 'first')
    }
    this.#isUnderWay = false
  }

  async #remember(shown: readonly ShownProof[]): Promise<ReadonlySet<string> | undefined> {
    if (this.#needs.monotonicMs() < this.#pausedUntilMs) return undefined
    try {
      return await this.#needs.remember(shown)
    } catch (error) {
      this.#pausedUntilMs = this.#needs.monotonicMs() + pauseMs
      if (error instanceof Failure) this.#needs.log.warn('proofs.not_shared', { why: error.message })
      else this.#needs.log.error('proofs.broke', {}, error)
      return undefined
    }
  }
}
