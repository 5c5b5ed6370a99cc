import { Failure, instant, type Log, type Uuid } from '../../src/kernel/index.ts'
import { chargeAt, HeldCall } from '../../src/gateway/held-call.ts'
import type { Asking, Gateway } from '../../src/gateway/gateway.ts'
import {
  GroupCommit,
  type CommitNeeds,
  type CommitOptions,
  type PackedBatch,
  type Spool,
  type UsageEvent,
} from '../../src/metering/index.ts'
import {
  boundOf,
  endHolds,
  Lender,
  reserve,
  type Authority,
  type LeaseUse,
  type RateStore,
} from '../../src/quota/index.ts'
import type { VersionFacts } from '../../src/policy/index.ts'
import { Violation, type Checker } from './checker.ts'
import type { History } from './history.ts'
import { deployment, permitOf, plan, version, wallStart } from './licenses.ts'
import type { Network, Outcome } from './network.ts'
import { calmFromMs, leaseSeconds, type Mishap, type PlannedCall, type Schedule } from './schedule.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimulatedDatabase } from './simulated-database.ts'

/** What a process asks the database for. A planted fault changes one of them. */
export interface Ports extends Pick<
  CommitNeeds,
  'write' | 'unfold' | 'setAside' | 'writeLate' | 'writeOpen' | 'spool'
> {
  readonly authority: Authority
}

export interface Surroundings {
  readonly schedule: Schedule
  readonly scheduler: Scheduler
  readonly network: Network
  readonly database: SimulatedDatabase
  readonly checker: Checker
  readonly history: History
  changePorts(ports: Ports): Ports
  /** A planted fault. */
  readonly tellsPocketsEarly: boolean
  /** A planted fault. */
  readonly endsHoldsEarly: boolean
  onBug(error: unknown): void
  onDeath(process: GatewayProcess): void
}

const never = new Promise<never>(() => {})

/**
 * One process of the gateway: the product's own lender, pockets, reserve, held call and group commit. Simulated are its
 * clock, its timers, its way to the database and the model host. It may die or fall asleep at each thing that it does or
 * hears: between any two of them stands an `await` of the product.
 */
export class GatewayProcess {
  readonly name: string
  readonly slot: number
  readonly lender: Lender
  readonly ledger: GroupCommit
  readonly #around: Surroundings
  readonly #clock: { readonly rate: number; readonly wallOffsetMs: number }
  readonly #sent = new Map<string, number>()
  readonly #open = new Set<Promise<void>>()
  #gateway: Gateway
  #mishaps: readonly (Mishap & { kind: 'dies' | 'sleeps' })[]
  #actions = 0
  #names = 0
  #asleepUntilMs = 0
  #lastEndMs = 0
  #isListening = false
  isDead = false
  /** What its spool holds. */
  readonly spooled: PackedBatch[] = []

  constructor(around: Surroundings, slot: number, generation: number) {
    this.#around = around
    this.slot = slot
    this.name = `${'abc'[slot] ?? 'z'}${generation}`
    this.#clock = {
      // Clocks run apart, by less than the margin that the lender leaves.
      rate: 0.95 + 0.1 * around.network.drawn(`${this.name} clock`),
      wallOffsetMs: Math.floor(1_000 * around.network.drawn(`${this.name} wall`)),
    }
    this.#mishaps = around.schedule.mishaps.filter(
      (mishap): mishap is Mishap & { kind: 'dies' | 'sleeps' } =>
        generation === 1 && 'afterActions' in mishap && mishap.slot === slot,
    )
    const ports = around.changePorts(this.#ports())
    const time = {
      monotonicMs: () => this.#monotonicMs(),
      after: (milliseconds: number, wake: () => void) =>
        around.scheduler.after(Math.max(1, Math.round(milliseconds / this.#clock.rate)), () => this.#receive(wake)),
      soon: (work: () => void) => void around.scheduler.after(0, () => this.#receive(work)),
    }
    const log = this.#log()
    this.lender = new Lender(
      {
        authority: ports.authority,
        rates: noRates,
        time,
        log,
        platform: 'node',
        place: undefined,
        now: () => this.#now(),
        newInstanceId: () => (this.#names++ === 0 ? this.name : `${this.name}.${this.#names}`),
      },
      { leaseSeconds, aheadMs: around.schedule.aheadMs, waitMs: 1_500, tightMs: 800, waitersMax: 1_000 },
    )
    this.ledger = new WatchedGroupCommit(
      {
        write: ports.write,
        unfold: ports.unfold,
        setAside: ports.setAside,
        writeLate: ports.writeLate,
        spool: ports.spool,
        writeOpen: ports.writeOpen,
        time,
        log,
        instanceId: () => this.lender.instanceId,
        onFenced: () => this.lender.beginAnew(),
      },
      { lanes: 2, batchMax: 3, waitingMax: 100, giveUpMs: 1_000, noteAfterMs: 5, unfoldAfterMs: 50, spoolAfterMs: 400 },
      around,
    )
    this.#gateway = {
      lender: this.lender,
      ledger: this.ledger,
      log,
      meter: { callEnded: () => {} },
      monotonicMs: time.monotonicMs,
    } as unknown as Gateway
  }

  start(): void {
    this.#receive(() => {
      this.#note(() => 'starts')
      // A process that cannot register does not start.
      this.lender.start({ keepAlive: true }).then(
        () => (this.#isListening = true),
        () => this.die('could not start'),
      )
    })
  }

  /** A caller connects. */
  serve(call: PlannedCall): void {
    this.#receive(() => {
      if (!this.#isListening) return
      const open = this.#serve(call).catch((error: unknown) => this.#around.onBug(error))
      this.#open.add(open)
      void open.then(() => {
        this.#open.delete(open)
        this.#lastEndMs = this.#around.scheduler.now
      })
    })
  }

  hear(payload: string): void {
    this.#receive(() => this.lender.notice(payload))
  }

  /** As `serve-gateway.ts` stops: calls end, the ledger is written, the leases are given back. */
  stop(onStopped: () => void): void {
    this.#receive(() => {
      this.#note(() => 'stops')
      this.#isListening = false
      const stop = async () => {
        await Promise.all(this.#open)
        await this.ledger.drained()
        await this.lender.stop().catch(() => this.#note(() => 'could not give its leases back'))
        if (this.isDead) return
        this.#note(() => 'has stopped')
        this.isDead = true
        onStopped()
      }
      stop().catch((error: unknown) => this.#around.onBug(error))
    })
  }

  die(why: string): void {
    if (this.isDead) return
    this.isDead = true
    this.#note(() => `DIES: ${why}`)
    if (this.#around.scheduler.now < calmFromMs) this.#around.checker.figures.died++
    this.#around.onDeath(this)
  }

  /** Since when it serves no call: not yet, as long as it serves one. */
  get idleSinceMs(): number {
    return this.#open.size > 0 ? this.#around.scheduler.now : this.#lastEndMs
  }

  /** The steps of `call.ts` from the reservation on. */
  async #serve(call: PlannedCall): Promise<void> {
    const { checker } = this.#around
    const requestId = `call-${call.call}`
    const permit = this.#permit(call.tenant)
    const bound = boundOf(
      {
        operation: 'chat',
        bytes: call.bytes,
        beyondText: false,
        inputs: 1,
        choices: 1,
        outputTokensNamed: call.named,
      },
      version as unknown as VersionFacts,
      chargeAt(plan, deployment.model),
    )
    this.#note(() => `${requestId} wants ${call.bytes} + ${call.named ?? 'any'} tokens of tenant ${call.tenant + 1}`)
    try {
      this.ledger.requireRoom()
      const reservation = await reserve(this.lender, permit, bound, this.#now())
      if (!reservation.ok) {
        this.#note(() => `${requestId} is refused: ${reservation.error.map(({ reason }) => reason).join(', ')}`)
        return checker.refused(reservation.error, permit, bound)
      }
      const held = new HeldCall(this.#gateway, { requestId, startedMs: this.#monotonicMs() } as Asking, {
        reservation: reservation.value,
        request: { streamed: false, measured: { bytes: call.bytes } } as never,
        permit,
        plan,
      })
      const { outputTokensMax } = reservation.value
      checker.held(requestId, reservation.value)
      this.#note(() => `${requestId} holds ${call.bytes} + ${outputTokensMax}`)
      const release = () => void held.release().catch(() => {})
      for (let attempt = 1; ; attempt++) {
        held.goesTo(deployment)
        await this.#host(call.hostMs)
        const served = { attempt, deployment, hostStatus: 200, firstByteMs: 1 }
        if (attempt <= call.failsFirst || call.end === 'fails') {
          held.noteFailed({ ...served, hostStatus: 500, outcome: 'host_error', durationMs: call.hostMs, startedMs: 0 })
          if (attempt <= call.failsFirst) continue
          return release()
        }
        const outputTokens = Math.max(1, Math.floor(outputTokensMax * call.share))
        const reported = { inputTokens: Math.max(1, Math.floor(call.bytes * call.share)), outputTokens }
        const delivered = { pieces: outputTokens, bytes: outputTokens }
        if (call.end === 'caller leaves') {
          this.#note(() => `${requestId}: its caller left`)
          await held.settle('client_left', served, { reported: undefined, delivered: { pieces: 1, bytes: 1 } })
        } else {
          await held.settle('answered', served, { reported, delivered })
          this.#deliver(requestId, attempt, reported)
        }
        return
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      checker.figures.unavailable++
      this.#note(() => `${requestId} is told 503: ${error.message}`)
    }
  }

  #deliver(requestId: Uuid, attempt: number, used: { inputTokens: number; outputTokens: number }): void {
    if (!this.#acts()) return
    this.#note(() => `${requestId} has its last bytes: ${used.inputTokens} + ${used.outputTokens}`)
    this.#around.checker.received(requestId, { attempt, ...used })
  }

  async #host(ms: number): Promise<void> {
    if (!this.#acts()) return never
    return new Promise((resolve) => void this.#around.scheduler.after(2 + ms, () => this.#receive(resolve)))
  }

  #permit(tenant: number) {
    const license = this.#around.schedule.licenses[tenant]
    if (license === undefined) throw new RangeError('a call names a tenant of its schedule')
    const learnedMs =
      license.revised === undefined
        ? Number.POSITIVE_INFINITY
        : license.revised.atMs + Math.floor(1_000 * this.#around.network.drawn(`${this.name} learns ${tenant}`))
    return permitOf(license, this.#around.scheduler.now >= learnedMs ? 2 : 1)
  }

  #ports(): Ports {
    const { database, scheduler } = this.#around
    const aliveUntilMs = () => scheduler.now + leaseSeconds * 1000
    return {
      authority: {
        register: ({ instanceId }) =>
          this.#ask(
            'register',
            () => instanceId,
            () => database.register(instanceId, aliveUntilMs()),
          ),
        renew: (instanceId) =>
          this.#ask(
            'renew',
            () => instanceId,
            () => database.renew(instanceId, aliveUntilMs()),
          ),
        unregister: (instanceId) =>
          this.#ask(
            'unregister',
            () => instanceId,
            () => database.unregister(instanceId),
          ),
        lendTo: (instanceId) => {
          let lastCommand = 0
          return {
            open: (account, limit) =>
              this.#ask(
                'open',
                () => `${account.budget} of ${limit.limit}`,
                () => database.open(instanceId, account, limit),
              ),
            lend: async (account, held, wanted) => {
              const command = { instanceId, command: ++lastCommand }
              const words = () => `${account.budget} to ${held}: ${wanted.needMin}, ${wanted.need} or ${wanted.want}`
              const lent = await this.#ask('lend', words, () => database.lend(command, account, held, wanted))
              if (lent !== undefined) {
                if (wanted.need === 0n) this.#around.checker.figures.lentAhead++
                return lent
              }
              const state = await this.#ask(
                'state',
                () => account.budget,
                () => database.stateOf(instanceId, account),
              )
              return state === undefined ? { fenced: true } : { state }
            },
            giveBack: (account, held) => {
              const command = { instanceId, command: ++lastCommand }
              return this.#ask(
                'give-back',
                () => `${account.budget} beyond ${held}`,
                () => database.giveBack(command, account, held),
              )
            },
            close: (account) => {
              const command = { instanceId, command: ++lastCommand }
              return this.#ask(
                'close',
                () => account.budget,
                () => database.close(command, account),
              )
            },
            announceShortage: (account) =>
              this.#ask(
                'announce',
                () => account.budget,
                () => database.announceShortage(instanceId, account),
              ),
          }
        },
      },
      write: (batch) =>
        this.#ask(
          'write',
          () => shownBatch(batch),
          () => database.writeBatch(batch, scheduler.now),
        ),
      unfold: (batches) =>
        this.#ask(
          'unfold',
          () => batches.map(({ instanceId, lane, number }) => `${instanceId} ${lane}/${number}`).join(', '),
          () => database.unfold(batches),
        ),
      writeLate: (batch) =>
        this.#ask(
          'write-late',
          () => shownBatch(batch),
          () => database.writeLate(batch),
        ),
      spool: this.#around.schedule.hasSpool ? this.#spool() : undefined,
      setAside: (batch, why) =>
        this.#ask(
          'set-aside',
          () => why,
          () => database.setAside(batch),
        ),
      writeOpen: (instanceId, calls) =>
        this.#ask(
          'note',
          () => `${instanceId}: ${calls.map(({ facts }) => facts.requestId).join(', ')}`,
          () => database.writeNotes(instanceId, calls),
        ),
    }
  }

  /** A file on this machine's disk: what is in it outlives the process. */
  #spool(): Spool {
    const { spooled } = this
    return {
      append: (batch) => {
        if (!this.#acts()) return never
        return new Promise((resolve) => {
          this.#around.scheduler.after(2, () => {
            // Synced, whether the process still lives to hear of it or not.
            spooled.push(batch)
            this.#around.checker.figures.spooled++
            this.#note(() => `spools ${shownBatch(batch)}`)
            this.#receive(resolve)
          })
        })
      },
      async *read() {
        for (let index = 0; index < spooled.length; index++) {
          const batch = spooled[index]
          if (batch !== undefined) yield batch
        }
      },
      clear: (batches) => {
        if (!this.#acts()) return never
        if (spooled.length > batches) return Promise.resolve(false)
        spooled.length = 0
        return Promise.resolve(true)
      },
    }
  }

  #ask<T>(kind: string, words: () => string, execute: () => T): Promise<T> {
    if (!this.#acts()) return never
    const { network, scheduler } = this.#around
    const count = (this.#sent.get(kind) ?? 0) + 1
    this.#sent.set(kind, count)
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<T>) => ('value' in outcome ? resolve(outcome.value) : reject(outcome.error))
      network.send({
        name: `${this.name} ${kind} ${count}`,
        from: this.name,
        words: () => `${kind} ${words()}`,
        execute,
        answer: (outcome) => this.#receive(() => settle(outcome)),
        departsInMs: Math.max(0, this.#asleepUntilMs - scheduler.now),
      })
    })
  }

  /** Something reaches the process: an answer, a timer, a caller. One that sleeps hears it when it wakes. */
  #receive(hear: () => void): void {
    const { scheduler } = this.#around
    if (this.isDead) return
    if (scheduler.now < this.#asleepUntilMs) return void scheduler.at(this.#asleepUntilMs, () => this.#receive(hear))
    if (this.#acts()) hear()
  }

  /** One more thing that this process does or hears; false when it dies instead. */
  #acts(): boolean {
    if (this.isDead) return false
    const action = this.#actions++
    if (this.#around.scheduler.now >= calmFromMs) return true
    for (const mishap of this.#mishaps) {
      if (mishap.afterActions !== action) continue
      if (mishap.kind === 'dies') {
        this.die(`before action ${action}`)
        return false
      }
      const wakesMs = Math.min(this.#around.scheduler.now + mishap.forMs, calmFromMs)
      this.#asleepUntilMs = Math.max(this.#asleepUntilMs, wakesMs)
      this.#note(() => `sleeps until ${wakesMs} ms`)
    }
    return true
  }

  #monotonicMs(): number {
    return this.#around.scheduler.now * this.#clock.rate
  }

  #now() {
    const start = wallStart(this.#around.schedule.turnsPeriod)
    return instant(start + this.#around.scheduler.now + this.#clock.wallOffsetMs)
  }

  #note(words: () => string): void {
    this.#around.history.note(this.#around.scheduler.now, this.name, words)
  }

  #log(): Log {
    return {
      info: () => {},
      warn: () => {},
      error: (event, facts, cause) => {
        this.#note(() => `log: ${event}`)
        if (event === 'lease.lost') this.#around.checker.figures.fenced++
        // To have been taken for dead is part of the protocol; every other error in the log is one.
        if (event !== 'lease.lost')
          this.#around.onBug(cause ?? new Violation('the log has no error', `${event} ${JSON.stringify(facts)}`))
      },
    }
  }
}

/** The product's own, and the checker is told what each call used. */
class WatchedGroupCommit extends GroupCommit {
  readonly #around: Surroundings

  constructor(needs: CommitNeeds, options: CommitOptions, around: Surroundings) {
    super(needs, options)
    this.#around = around
  }

  override append(event: UsageEvent, uses: readonly LeaseUse[]): Promise<void> {
    if (event.endsCall) this.#around.checker.ended(event.requestId, uses)
    if (this.#around.tellsPocketsEarly) for (const { pocket, used } of uses) pocket.committed(used)
    return super.append(event, this.#maybeEarly(uses))
  }

  override close(call: { tenantId: Uuid; requestId: Uuid }, uses: readonly LeaseUse[]): void {
    this.#around.checker.released(call.requestId)
    super.close(call, this.#maybeEarly(uses))
  }

  /** What is not used is free before the end of its call is safe. */
  #maybeEarly(uses: readonly LeaseUse[]): readonly LeaseUse[] {
    if (!this.#around.endsHoldsEarly) return uses
    endHolds(uses.map((use) => ({ ...use, reserved: use.reserved - use.used, used: 0n })))
    return uses.map((use) => ({ ...use, reserved: use.used }))
  }
}

const shownBatch = ({ instanceId, lane, number, events, ended }: PackedBatch): string => {
  const rows = (JSON.parse(events) as readonly UsageEvent[]).map((row) => `${row.requestId} ${row.outcome}`)
  const calls = (JSON.parse(ended) as readonly { requestId: string }[]).map(({ requestId }) => `${requestId} has ended`)
  return `${instanceId} ${lane}/${number}: ${[...rows, ...calls].join(', ')}`
}

/** Rates protect the model host; they are no part of what is proven here. */
const noRates: RateStore = {
  take: () =>
    Promise.reject(new Failure('rate_store', 'no license of the simulation has a rate', { retryable: false })),
  giveBack: () => Promise.resolve(),
}
