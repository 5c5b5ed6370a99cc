import { Checker, Violation } from './checker.ts'
import { GatewayProcess, type Ports, type Surroundings } from './gateway-process.ts'
import { History } from './history.ts'
import { Network } from './network.ts'
import { calmFromMs, leaseSeconds, type Schedule } from './schedule.ts'
import { Scheduler } from './scheduler.ts'
import { Refused, SimulatedDatabase } from './simulated-database.ts'

/** A fault of the protocol, planted to see that it is found. */
export interface Plant {
  readonly name: string
  changeDatabase?(database: SimulatedDatabase): void
  changePorts?(ports: Ports): Ports
  /** Pockets hear that their uses are committed when they are not yet. */
  readonly tellsPocketsEarly?: boolean
  readonly endsHoldsEarly?: boolean
}

export interface Run {
  readonly schedule: Schedule
  readonly violation: Violation | undefined
  readonly history: readonly string[]
  readonly figures: Checker['figures'] & { readonly steps: number }
  readonly disturbed: ReadonlySet<string>
}

export interface RunOptions {
  readonly keepsHistory?: boolean
  readonly plant?: Plant
}

/** Long enough for every pocket to be closed as idle, and for the dead to be swept, clocks apart. */
const idleAfterMs = calmFromMs + 1_600 * leaseSeconds
const buryEveryMs = 2_000
const stepsMax = 50_000

/**
 * Runs many schedules, each in a world of its own. They take turns, one step each, so that one round of the event loop
 * drains the promises of all; what happens in one is not changed by the others.
 */
export async function runSchedules(schedules: readonly Schedule[], options: RunOptions = {}): Promise<readonly Run[]> {
  const worlds = schedules.map((schedule) => new World(schedule, options))
  let running = worlds
  while (running.length > 0) {
    running = running.filter((world) => world.step())
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return worlds.map((world) => world.result())
}

export async function runSchedule(schedule: Schedule, options: RunOptions = {}): Promise<Run> {
  const [run] = await runSchedules([schedule], options)
  if (run === undefined) throw new RangeError('one schedule is one run')
  return run
}

class World implements Surroundings {
  readonly schedule: Schedule
  readonly scheduler = new Scheduler()
  readonly database = new SimulatedDatabase()
  readonly checker: Checker
  readonly history: History
  readonly network: Network
  readonly #plant: Plant | undefined
  /** The process that runs in each slot. */
  readonly #slots: (GatewayProcess | undefined)[] = []
  readonly #generations: number[] = []
  readonly #processes: GatewayProcess[] = []
  #told = 0
  #hasEnded = false
  #steps = 0
  #violation: Violation | undefined

  constructor(schedule: Schedule, options: RunOptions) {
    this.schedule = schedule
    this.#plant = options.plant
    this.history = new History(options.keepsHistory === true)
    this.checker = new Checker(this.database, (requestId) =>
      this.#processes.some(({ spooled }) => spooled.some(({ events }) => events.includes(`"${requestId}"`))),
    )
    const { scheduler, history } = this
    this.network = new Network({ schedule, scheduler, history, afterExecution: () => this.checker.check() })
    this.#plant?.changeDatabase?.(this.database)
    this.database.onLate = () => this.checker.figures.late++
    this.database.onNotify = (payload) => this.#tellEverybody(payload)
    this.#plan()
  }

  /** One thing happens; false when nothing is left or a guarantee was broken. */
  step(): boolean {
    if (this.#violation !== undefined) return false
    try {
      if (this.#hasEnded || !this.scheduler.step()) return false
      if (++this.#steps > stepsMax) throw new Violation('everything ends', `not after ${stepsMax} steps`)
    } catch (error) {
      this.onBug(error)
    }
    return this.#violation === undefined
  }

  result(): Run {
    const { schedule, history, checker, network } = this
    const figures = { ...checker.figures, steps: this.#steps }
    return { schedule, violation: this.#violation, history: history.lines, figures, disturbed: network.disturbed }
  }

  changePorts(ports: Ports): Ports {
    return this.#plant?.changePorts?.(ports) ?? ports
  }

  get tellsPocketsEarly(): boolean {
    return this.#plant?.tellsPocketsEarly === true
  }

  get endsHoldsEarly(): boolean {
    return this.#plant?.endsHoldsEarly === true
  }

  onBug(error: unknown): void {
    const violation =
      error instanceof Violation
        ? error
        : error instanceof Refused
          ? new Violation('the database refuses nothing', error.message)
          : new Violation('nothing throws', error instanceof Error ? (error.stack ?? error.message) : String(error))
    this.#violation ??= violation
    this.history.note(this.scheduler.now, 'checker', () => `BROKEN ${this.#violation?.message}`)
  }

  onDeath(process: GatewayProcess): void {
    if (this.#slots[process.slot] !== process) return
    const mishap = this.schedule.mishaps.find(
      ({ kind, ...how }) => kind === 'dies' && 'slot' in how && how.slot === process.slot,
    )
    const backAfterMs = mishap?.kind === 'dies' ? mishap.backAfterMs : 500
    if (backAfterMs !== undefined) this.scheduler.after(backAfterMs, () => this.#start(process.slot))
  }

  #plan(): void {
    const { scheduler, schedule } = this
    for (let slot = 0; slot < schedule.slots; slot++) scheduler.at(0, () => this.#start(slot))
    for (const call of schedule.calls) scheduler.at(50 + call.atMs, () => this.#slots[call.slot]?.serve(call))
    for (const mishap of schedule.mishaps) {
      if (mishap.kind === 'database away') scheduler.at(mishap.atMs, () => this.network.goAway(mishap.forMs))
      if (mishap.kind === 'is replaced') {
        const { slot, atMs } = mishap
        scheduler.at(atMs, () => this.#slots[slot]?.stop(() => this.#start(slot)))
      }
    }
    const sweepEveryMs = (leaseSeconds * 1000) / 4
    for (let at = Math.floor(sweepEveryMs * this.network.drawn('sweep')); at < idleAfterMs; at += sweepEveryMs)
      scheduler.at(at, () => this.#sweep())
    for (let at = Math.floor(buryEveryMs * this.network.drawn('bury')); at < idleAfterMs; at += buryEveryMs)
      scheduler.at(at, () => this.#bury())
    scheduler.at(idleAfterMs, () => this.#stopWhenIdle())
  }

  /** When nobody has called for long enough nothing is held; then everybody stops, and nothing is left. */
  #stopWhenIdle(): void {
    const { scheduler } = this
    const alive = this.#slots.filter((process) => process?.isDead === false)
    const idleAtMs = Math.max(...alive.map((process) => process?.idleSinceMs ?? 0)) + 1_600 * leaseSeconds
    if (scheduler.now < idleAtMs) {
      scheduler.at(Math.min(idleAtMs, scheduler.now + 1_000), () => this.#stopWhenIdle())
      return
    }
    this.checker.checkIdle()
    for (const process of alive) process?.stop(() => {})
    scheduler.after(1_600 * leaseSeconds, () => {
      for (const process of alive) process?.die('the end')
      this.checker.checkEnd()
      this.#hasEnded = true
    })
    const sweep = () => {
      this.#sweep()
      this.#bury()
      scheduler.after(750, sweep)
    }
    sweep()
  }

  #start(slot: number): void {
    const generation = (this.#generations[slot] ?? 0) + 1
    this.#generations[slot] = generation
    const process = new GatewayProcess(this, slot, generation)
    this.#slots[slot] = process
    this.#processes.push(process)
    process.start()
  }

  /** What neighbors do for a process that is gone: its spool is replayed, then its instances end. */
  #bury(): void {
    // When nobody is left, somebody starts on this machine in the end.
    const isAlone = this.#processes.every(({ isDead }) => isDead)
    if (this.network.isAway || (isAlone && this.scheduler.now < idleAfterMs)) return
    const { database, scheduler } = this
    for (const process of this.#processes) {
      if (!process.isDead) continue
      for (const batch of process.spooled) {
        if (database.writeBatch(batch, scheduler.now) === 'fenced') database.writeLate(batch)
        this.history.note(scheduler.now, 'neighbor', () => `replays ${process.name} ${batch.lane}/${batch.number}`)
        this.checker.check()
        // A neighbor that dies in the middle: another one begins anew.
        if (this.network.drawn(`${process.name} replay ${scheduler.now}`) < 0.2) return
      }
      process.spooled.length = 0
      const its = (instanceId: string) => instanceId === process.name || instanceId.startsWith(`${process.name}.`)
      for (const instanceId of [...database.instances.keys()].filter(its)) {
        database.expire(instanceId, scheduler.now)
        this.history.note(scheduler.now, 'neighbor', () => `ends what ${instanceId} left`)
        this.checker.check()
      }
    }
  }

  #sweep(): void {
    if (this.network.isAway) return
    if (this.database.unfoldStragglers(this.scheduler.now) > 0) this.checker.check()
    for (;;) {
      const dead = this.database.expireOne(this.scheduler.now)
      if (dead === undefined) return
      this.history.note(this.scheduler.now, 'sweeper', () => `ends what ${dead} left`)
      this.checker.check()
    }
  }

  #tellEverybody(payload: string): void {
    for (const process of this.#slots)
      if (process !== undefined) this.network.tell(`${process.name} hears ${this.#told++}`, () => process.hear(payload))
  }
}
