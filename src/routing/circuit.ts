import type { Deployment } from './catalog.ts'

/**
 * Health of deployments as this process sees it. Five failures in a row open a deployment's circuit: it is tried last
 * for two seconds, then four, up to a minute; after that calls may try it again, the next failure opens it for longer and
 * an answer closes it. An open circuit never refuses: when nothing else is left, the call is tried all the same.
 */
export class Circuits {
  readonly #states = new Map<string, { failures: number; openUntilMs: number; openings: number }>()
  /** Retries that may still be made: one is earned by ten calls, up to a hundred. Bounds what an outage multiplies. */
  #retries = 100

  isOpen(deployment: Deployment, nowMs: number): boolean {
    return (this.#states.get(keyOf(deployment))?.openUntilMs ?? 0) > nowMs
  }

  noteAnswer(deployment: Deployment): void {
    this.#retries = Math.min(100, this.#retries + 0.1)
    if (this.#states.size > 0) this.#states.delete(keyOf(deployment))
  }

  noteFailure(deployment: Deployment, nowMs: number): void {
    const key = keyOf(deployment)
    const state = this.#states.get(key) ?? { failures: 0, openUntilMs: 0, openings: 0 }
    state.failures++
    if (state.failures >= 5) {
      state.openUntilMs = nowMs + Math.min(60_000, 2_000 * 2 ** Math.min(state.openings, 10))
      state.openings++
      state.failures = 4
    }
    this.#states.set(key, state)
  }

  /** Takes one retry from the process's allowance; false when it is used up. */
  takeRetry(): boolean {
    if (this.#retries < 1) return false
    this.#retries -= 1
    return true
  }
}

const keyOf = (deployment: Deployment): string => `${deployment.model}@${deployment.version}/${deployment.deployment}`
