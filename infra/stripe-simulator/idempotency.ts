import { Problem } from './problem.ts'

export interface Answer {
  readonly status: number
  readonly body: string
}

interface Kept {
  readonly fingerprint: string
  readonly answer: Answer
  readonly at: number
}

/** Keys are forgotten after at least 24 hours (https://docs.stripe.com/api/idempotent_requests). */
const keepSeconds = 86_400

/** The answers of writes by their idempotency key. */
export class Idempotency {
  readonly #kept = new Map<string, Kept>()

  /** @throws Problem when the key came with other parameters before. */
  find(key: string, fingerprint: string, now: number): Answer | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined || now - kept.at >= keepSeconds) return undefined
    if (kept.fingerprint !== fingerprint)
      throw new Problem(
        `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
        { status: 400, type: 'idempotency_error' },
      )
    return kept.answer
  }

  /** A call whose parameters were wrong never began, and is not kept. */
  keep(key: string, fingerprint: string, kept: { answer: Answer; now: number }): void {
    if (kept.answer.status < 400) this.#kept.set(key, { fingerprint, answer: kept.answer, at: kept.now })
  }
}
