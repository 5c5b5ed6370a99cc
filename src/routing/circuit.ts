import type { Deployment } from './catalog.ts'

/** One probe in so long. */
const probeMs = 2_000

/**
 * Health of deployments as this process sees it. Five failures in a row open a deployment's circuit: it is tried last
 * for two seconds, then four, up to a minute; after that one call in two seconds may try it again, so that a host that
 * stalls does not take them all. The next failure opens it for longer and an answer closes it. An open circuit never
 * refuses: when nothing else is left, the call is tried all the same.
 */
export class Circuits {
  readonly #states = new Map<string, { failures: number; openUntilMs: number; openings: number }>()
  /** Retries that may still be made: one is earned by ten calls, up to a hundred. Bounds what an outage multiplies. */
  #retries = 100

  /** Asked for each call. After a pause the first that asks is the probe; for the others it is still open. */
  isOpen(deployment: Deployment, nowMs: number): boolean {
    const state = this.#states.get(keyOf(deployment))
    if (state === undefined || state.openings === 0) return false
    if (state.openUntilMs > nowMs) return true
    state.openUntilMs = nowMs + probeMs
    return false
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
