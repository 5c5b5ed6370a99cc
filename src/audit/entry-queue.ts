import { Failure, type Log } from '../kernel/index.ts'
import type { AuditEntry } from './entry.ts'

export interface QueueNeeds {
  /** One transaction. @throws Failure when the database cannot be reached. */
  write(entries: readonly AuditEntry[]): Promise<void>
  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void>
  readonly log: Log
}

/** More than this waits only while the database is away; what comes then is in the log alone, and counted there. */
const waitingMax = 10_000
const batchMax = 500
/** Between tries, at most. */
const pauseMsMax = 5_000

/**
 * Entries of calls that gates refused: nobody waits for them, and they are written together. One write is under way at a
 * time, and what arrives meanwhile is the next, so that a flood of refusals is a few statements. While the database is
 * away they wait, up to a number; a process that is killed takes those of its last moments with it.
 */
export class EntryQueue {
  readonly #needs: QueueNeeds
  #waiting: AuditEntry[] = []
  #running: Promise<void> | undefined
  #dropped = 0
  #closing = false

  constructor(needs: QueueNeeds) {
    this.#needs = needs
  }

  append(entry: AuditEntry): void {
    if (this.#waiting.length >= waitingMax) {
      this.#dropped++
      return
    }
    this.#waiting.push(entry)
    this.#running ??= this.#writeAll().finally(() => (this.#running = undefined))
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves when nothing waits any more, or, with the database away, after one more try. */
  async drained(): Promise<void> {
    this.#closing = true
    while (this.#running !== undefined) await this.#running
    this.#closing = false
  }

  async #writeAll(): Promise<void> {
    for (let attempt = 0; this.#waiting.length > 0;) {
      const batch = this.#waiting.slice(0, batchMax)
      try {
        await this.#needs.write(batch)
        this.#waiting.splice(0, batch.length)
        attempt = 0
        this.#tellDropped()
      } catch (error) {
        if (!(error instanceof Failure)) {
          // A bug of ours: these entries would be refused for ever, and would hold up all that follow.
          this.#needs.log.error('audit.write_refused', { entries: batch.length }, error)
          this.#waiting.splice(0, batch.length)
          continue
        }
        if (attempt === 0) this.#needs.log.warn('audit.write_failed', { waiting: this.#waiting.length })
        if (this.#closing) return
        await this.#needs.pause(Math.min(pauseMsMax, 50 * 2 ** Math.min(attempt++, 7)))
      }
    }
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    this.#needs.log.error('audit.dropped', { entries: this.#dropped })
    this.#dropped = 0
  }
}
