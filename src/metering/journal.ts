import { Failure, type Uuid } from '../kernel/index.ts'
import type { CommitNeeds, OpenCall } from './batch.ts'

/**
 * Writes down which calls are in flight, beside them and not before them, so that a call is known when this process dies.
 * A call gets its note once it has lasted a few milliseconds; one that ends sooner never needs one, because nobody has
 * received anything of it before its row was written. One statement at a time for all that wait, and without a wait for
 * the disk: a note is of use only when this process dies and the database lives on.
 */
export class Journal {
  readonly #needs: CommitNeeds
  readonly #options: { readonly batchMax: number; readonly noteAfterMs: number }
  readonly #waiting = new Map<Uuid, OpenCall>()
  /** Calls whose note is on its way; those that have ended meanwhile, with what is to be done when it has come. */
  readonly #sending = new Map<Uuid, (() => void) | undefined>()
  /** Calls in flight whose note was sent: a second attempt needs no second one. */
  readonly #noted = new Set<Uuid>()
  #sent: Promise<void> | undefined
  #isDue = false

  constructor(needs: CommitNeeds, options: { batchMax: number; noteAfterMs: number }) {
    this.#needs = needs
    this.#options = options
  }

  note(call: OpenCall): void {
    if (this.#noted.has(call.facts.requestId)) return
    this.#waiting.set(call.facts.requestId, call)
    if (this.#isDue) return
    this.#isDue = true
    this.#needs.time.after(this.#options.noteAfterMs, () => {
      this.#isDue = false
      this.#send()
    })
  }

  /**
   * A call ends. `remove` is said when there is a note of it that has to go, and as soon as it can: a note on its way
   * would come after its removal. @returns whether there is one.
   */
  ended(requestId: Uuid, remove: () => void): boolean {
    this.#waiting.delete(requestId)
    if (!this.#noted.delete(requestId)) return false
    if (this.#sending.has(requestId)) this.#sending.set(requestId, remove)
    else remove()
    return true
  }

  async drained(): Promise<void> {
    while (this.#sent !== undefined) await this.#sent
  }

  #send(): void {
    if (this.#waiting.size === 0) return
    this.#sent ??= this.#sendAll().finally(() => {
      this.#sent = undefined
      this.#send()
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const calls = this.#takeSome()
      try {
        if (calls.length > 0) await this.#needs.writeOpen(this.#needs.instanceId(), calls)
      } catch (error) {
        // The database is away, or refused a note. The call goes on; it is only not known should this process die too.
        if (!(error instanceof Failure)) this.#needs.log.error('journal.refused', { calls: calls.length }, error)
      }
      const removals = [...this.#sending.values()]
      this.#sending.clear()
      for (const remove of removals) remove?.()
    }
  }

  #takeSome(): readonly OpenCall[] {
    const calls: OpenCall[] = []
    for (const [requestId, call] of this.#waiting) {
      if (calls.length >= this.#options.batchMax) break
      this.#waiting.delete(requestId)
      if (call.facts.instanceId !== this.#needs.instanceId()) continue
      this.#sending.set(requestId, undefined)
      this.#noted.add(requestId)
      calls.push(call)
    }
    return calls
  }
}
