import { Failure, type Uuid } from '../kernel/index.ts'
import type { CommitNeeds, OpenCall } from './batch.ts'

/**
 * Writes down which calls are in flight, beside them and not before them, so that a call is known when this process dies.
 * One statement at a time for all that began meanwhile, and without a wait for the disk: a note is of use only when this
 * process dies and the database lives on. A call that ends before its note was sent never needs one.
 */
export class Journal {
  readonly #needs: CommitNeeds
  readonly #batchMax: number
  readonly #waiting = new Map<Uuid, OpenCall>()
  #sending: ReadonlySet<Uuid> = new Set()
  #sent: Promise<void> | undefined

  constructor(needs: CommitNeeds, options: { batchMax: number }) {
    this.#needs = needs
    this.#batchMax = options.batchMax
  }

  note(call: OpenCall): void {
    this.#waiting.set(call.facts.requestId, call)
    this.#sent ??= this.#sendAll()
  }

  /**
   * A call ends. False when it has no note, because none was sent; true when it may have one, which is to go with its
   * last row. A note on its way is waited for, or it would come after the row that ends it.
   */
  ended(requestId: Uuid): boolean | Promise<boolean> {
    if (this.#waiting.delete(requestId)) return false
    return this.#sending.has(requestId) && this.#sent !== undefined ? this.#sent.then(() => true) : true
  }

  async drained(): Promise<void> {
    while (this.#sent !== undefined) await this.#sent
  }

  async #sendAll(): Promise<void> {
    // What begins in this turn of the event loop is one statement.
    await Promise.resolve()
    while (this.#waiting.size > 0) {
      const calls: OpenCall[] = []
      for (const [requestId, call] of this.#waiting) {
        if (calls.length >= this.#batchMax) break
        this.#waiting.delete(requestId)
        if (call.facts.instanceId === this.#needs.instanceId()) calls.push(call)
      }
      this.#sending = new Set(calls.map((call) => call.facts.requestId))
      try {
        if (calls.length > 0) await this.#needs.writeOpen(this.#needs.instanceId(), calls)
      } catch (error) {
        // The database is away, or refused a note. The call goes on; it is only not known should this process die too.
        if (!(error instanceof Failure)) this.#needs.log.error('journal.refused', { calls: calls.length }, error)
      }
      this.#sending = new Set()
    }
    this.#sent = undefined
  }
}
