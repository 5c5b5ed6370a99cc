import { Failure, type Defer, type Log } from '../kernel/index.ts'
import type { Refusal } from './refusal.ts'

/** An answer on its way to a caller. */
export interface OpenStream {
  /** Why it must not go on; undefined while it may. */
  objection(): Refusal | undefined
  cut(refusal: Refusal): void
}

interface OpenStreamsNeeds {
  /** Where nobody polls, an open stream makes this process look, this often. */
  readonly lookEveryMs: number | undefined
  readonly deferred: Defer
  readonly log: Log
  confirm(): Promise<void>
  after(milliseconds: number, wake: () => void): { cancel(): void }
}

/**
 * The streams that are open in a process, so that a no reaches also what was permitted before it. They are as many as the
 * calls that a process holds. An outage of ours cuts none: it is not a no.
 */
export class OpenStreams {
  readonly #needs: OpenStreamsNeeds
  readonly #open = new Set<OpenStream>()
  #timer: { cancel(): void } | undefined

  constructor(needs: OpenStreamsNeeds) {
    this.#needs = needs
  }

  /** Looks at it at once: the no may have come while the host was thinking. */
  open(stream: OpenStream): void {
    this.#open.add(stream)
    cutIfObjected(stream)
    this.#lookLater()
  }

  close(stream: OpenStream): void {
    this.#open.delete(stream)
    if (this.#open.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  look(): void {
    // What is cut leaves the set meanwhile, which a set allows.
    for (const stream of this.#open) cutIfObjected(stream)
  }

  #lookLater(): void {
    const { lookEveryMs, deferred } = this.#needs
    if (lookEveryMs === undefined || this.#timer !== undefined || this.#open.size === 0) return
    this.#timer = this.#needs.after(lookEveryMs, () => {
      this.#timer = undefined
      deferred.defer(this.#confirmAndLook())
    })
  }

  async #confirmAndLook(): Promise<void> {
    try {
      await this.#needs.confirm()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      this.#needs.log.warn('streams.not_confirmed', { why: error.message })
    }
    // Another request may have looked meanwhile: what is known is the isolate's.
    this.look()
    this.#lookLater()
  }
}

function cutIfObjected(stream: OpenStream): void {
  const objection = stream.objection()
  if (objection !== undefined) stream.cut(objection)
}
