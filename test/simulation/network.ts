import { Failure } from '../../src/kernel/index.ts'
import { drawn, fateOf, type Fate } from './fates.ts'
import type { History } from './history.ts'
import { calmFromMs, type Schedule } from './schedule.ts'
import type { Scheduler } from './scheduler.ts'

export type Outcome<T> = { readonly value: T } | { readonly error: unknown }

export interface Message<T> {
  /** Who asks what for the how manieth time, such as `a1 lend 3`. */
  readonly name: string
  readonly from: string
  words(): string
  /** What the database does, at once and whole. */
  execute(): T
  answer(outcome: Outcome<T>): void
  /** A process that fell asleep before it sent. */
  readonly departsInMs: number
}

/** The way between processes and the database. Every message has a fate of its own. */
export class Network {
  /** The messages that met something else than an ordinary way. */
  readonly disturbed = new Set<string>()
  readonly #schedule: Schedule
  readonly #scheduler: Scheduler
  readonly #history: History
  readonly #afterExecution: () => void
  #awayUntilMs = Number.NEGATIVE_INFINITY

  constructor(needs: { schedule: Schedule; scheduler: Scheduler; history: History; afterExecution: () => void }) {
    this.#schedule = needs.schedule
    this.#scheduler = needs.scheduler
    this.#history = needs.history
    this.#afterExecution = needs.afterExecution
  }

  goAway(forMs: number): void {
    this.#awayUntilMs = Math.max(this.#awayUntilMs, this.#scheduler.now + forMs)
    this.#history.note(this.#scheduler.now, 'database', () => `is away for ${forMs} ms`)
  }

  get isAway(): boolean {
    return this.#scheduler.now < this.#awayUntilMs
  }

  send<T>(message: Message<T>): void {
    const scheduler = this.#scheduler
    const fate = this.#fateOf(message.name)
    const note = (words: () => string) =>
      this.#history.note(scheduler.now, message.from, () => `${message.words()} ${words()}`)
    const fail = (why: string) => {
      note(() => `→ FAILED for ${message.from} (${why})`)
      message.answer({ error: new Failure('database', why, { retryable: true }) })
    }
    const execute = (onward: (outcome: Outcome<T>) => void) => {
      if (this.isAway) return void scheduler.after(1, () => fail('the database is away'))
      let outcome: Outcome<T>
      try {
        outcome = { value: message.execute() }
      } catch (error) {
        outcome = { error }
      }
      note(() => `→ ${'value' in outcome ? shown(outcome.value) : String(outcome.error)}${remark(fate)}`)
      this.#afterExecution()
      onward(outcome)
    }
    const nobody = () => {}
    const later = message.departsInMs
    switch (fate.kind) {
      case 'ordinary':
      case 'slow':
        scheduler.after(later + fate.thereMs, () =>
          execute((outcome) => scheduler.after(fate.backMs, () => message.answer(outcome))),
        )
        return
      case 'request lost':
        scheduler.after(later + fate.toldMs, () => fail('request lost'))
        return
      case 'answer lost':
        scheduler.after(later + fate.thereMs, () => execute(nobody))
        scheduler.after(later + fate.toldMs, () => fail('answer lost'))
        return
      case 'late':
        scheduler.after(later + fate.toldMs, () => fail('connection lost, the request is still on its way'))
        scheduler.after(later + fate.thereMs, () => execute(nobody))
        return
    }
  }

  /** What a listener hears arrives somewhat later, or never. */
  tell(name: string, hear: () => void): void {
    const fate = this.#fateOf(name)
    if (fate.kind === 'ordinary' || fate.kind === 'slow') this.#scheduler.after(fate.thereMs, hear)
  }

  #fateOf(name: string): Fate {
    const { seed, network, disturbed } = this.#schedule
    const isCalm = this.#scheduler.now >= calmFromMs || (disturbed !== undefined && !disturbed.has(name))
    const fate = fateOf(seed, name, network, isCalm)
    if (fate.kind !== 'ordinary') this.disturbed.add(name)
    return fate
  }

  /** A number of this schedule's own, by name. */
  drawn(name: string): number {
    return drawn(this.#schedule.seed, name)
  }
}

const remark = (fate: Fate): string => {
  if (fate.kind === 'answer lost') return ', and the answer is lost'
  if (fate.kind === 'late') return ', LATE: nobody waits for it any more'
  return ''
}

const shown = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  return typeof value === 'string' || typeof value === 'boolean'
    ? String(value)
    : JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part))
}
