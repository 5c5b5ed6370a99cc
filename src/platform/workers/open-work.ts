import type { Defer, Log } from '../../kernel/index.ts'

/** What a request has begun and not ended: its connections stay until then. */
export class OpenWork implements Defer {
  readonly #log: Log
  readonly #open = new Set<Promise<unknown>>()

  constructor(log: Log) {
    this.#log = log
  }

  defer(work: Promise<unknown>): void {
    const tracked: Promise<unknown> = work
      .catch((error: unknown) => this.#log.error('deferred.failed', {}, error))
      .finally(() => this.#open.delete(tracked))
    this.#open.add(tracked)
  }

  /** Resolves when nothing is open, nor was begun meanwhile. */
  async ended(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open)
  }
}
