import { Failure, type Instant, type Log, type Uuid } from '../kernel/index.ts'
import type { Account, AccountLimit, Authority, LeaseAuthority, Place } from './account.ts'
import { BudgetPocket, type PocketOptions, type PocketTime } from './budget-pocket.ts'
import type { Pockets } from './limits.ts'
import { RatePocket, type RateStore } from './rate-pocket.ts'

export interface LenderOptions extends PocketOptions {
  /** An instance that is silent for this long is taken for dead, and what it held is free again. */
  readonly leaseSeconds: number
  /** For so long a busy license is provided for ahead; a lease time when it is not said. */
  readonly aheadMs?: number
}

interface LenderNeeds {
  readonly authority: Authority
  readonly rates: RateStore
  readonly time: PocketTime
  readonly log: Log
  readonly platform: 'node' | 'workers'
  readonly place: Place | undefined
  now(): Instant
  newInstanceId(): Uuid
}

/** A sign of life so often, however long a lease time is. */
const beatMsMax = 4_000

/** Long ago, but not never: an instance that has never been registered has nothing to give back. */
const lostMs = Number.MIN_SAFE_INTEGER

/** How often, and how long each time, a stop waits for a pocket's last answer. */
const closingRoundsMax = 100
const closingRoundMs = 20
const closingAtOnce = 6

/**
 * The pockets of one running instance and its sign of life. While the sign of life is fresh, nobody takes the leases
 * away; when it could not be renewed for most of a lease time, no new call is admitted, because somebody may.
 */
export class Lender implements Pockets {
  readonly #needs: LenderNeeds
  readonly #options: LenderOptions
  readonly #budgets = new Map<string, BudgetPocket>()
  readonly #rates = new Map<string, RatePocket>()
  #instanceId: Uuid
  #leases: LeaseAuthority
  #freshUntilMs = Number.NEGATIVE_INFINITY
  #startsWhenNeeded = false
  #nextBeat: { cancel(): void } | undefined
  #beating: Promise<void> | undefined
  #beginning: Promise<void> | undefined
  #tending: Promise<void> | undefined

  constructor(needs: LenderNeeds, options: LenderOptions) {
    this.#needs = needs
    this.#options = options
    this.#instanceId = needs.newInstanceId()
    this.#leases = needs.authority.lendTo(this.#instanceId)
  }

  get instanceId(): Uuid {
    return this.#instanceId
  }

  /** Calls that hold something now, for the metrics. */
  get heldPockets(): number {
    let held = 0
    for (const pocket of this.#budgets.values()) if (pocket.reserved > 0n) held++
    return held
  }

  /** Registers the instance; on Node it also keeps it alive until `stop`. */
  async start(options: { keepAlive: boolean }): Promise<void> {
    const asked = this.#needs.time.monotonicMs()
    await this.#register(this.#instanceId)
    this.#stayFresh(asked)
    if (options.keepAlive) this.#beatAgainAndAgain()
  }

  /** Where an instance lives for one request, it is registered by the call that needs it, and most requests need none. */
  startWhenNeeded(): void {
    this.#startsWhenNeeded = true
  }

  /** Ends every lease. Call it when no call is in flight and everything is committed. */
  async stop(): Promise<void> {
    this.#nextBeat?.cancel()
    // A beat under way would find the instance gone, and begin anew.
    await this.#beating
    await this.#tending
    if (this.#freshUntilMs === Number.NEGATIVE_INFINITY) return
    // Some at a time: a process that many tenants call holds thousands, and has seconds.
    const pockets = this.#budgets.values()
    const closeOneByOne = async () => {
      for (const pocket of pockets) {
        await this.#answered(pocket)
        await pocket.closeIfIdle(0)
      }
    }
    await Promise.all(Array.from({ length: closingAtOnce }, closeOneByOne))
    for (const pocket of this.#rates.values()) await pocket.giveBackFree()
    await this.#needs.authority.unregister(this.#instanceId)
  }

  /** Whether nobody can have taken the leases away. */
  get isFresh(): boolean {
    return this.#startsWhenNeeded || this.#needs.time.monotonicMs() < this.#freshUntilMs
  }

  /** @throws Failure when the leases may have been taken away, or the instance could not be registered. */
  async requireFresh(): Promise<void> {
    if (this.#startsWhenNeeded) {
      this.#startsWhenNeeded = false
      await this.start({ keepAlive: true })
    }
    // A process that had no turn for a while asks again before it refuses anybody.
    if (!this.isFresh) await this.#beat()
    if (!this.isFresh) throw new Failure('database', 'the leases could not be renewed', { retryable: true })
  }

  budget(account: Account, limit: AccountLimit): BudgetPocket {
    let pocket = this.#budgets.get(account.id)
    if (pocket === undefined) {
      const { time } = this.#needs
      // Renewing says so as well, and then it begins anew.
      const onLost = () => (this.#freshUntilMs = Math.min(this.#freshUntilMs, lostMs))
      pocket = new BudgetPocket({ authority: this.#leases, time, options: this.#options, onLost }, account, limit)
      this.#budgets.set(account.id, pocket)
    } else pocket.retarget(limit)
    return pocket
  }

  rate(key: string, limit: number): RatePocket {
    let pocket = this.#rates.get(key)
    if (pocket === undefined || pocket.limit !== limit) {
      const { rates: store, time } = this.#needs
      pocket = new RatePocket({ store, time, exact: this.#options.exact === true }, key, limit)
      this.#rates.set(key, pocket)
    }
    return pocket
  }

  /** A notification of the quota channel: `short|freed <instance> <account>`. */
  notice(payload: string): void {
    const match = /^(short|freed) (\S+) (.+)$/.exec(payload)
    if (match === null || match[2] === this.#instanceId) return
    const pocket = this.#budgets.get(match[3] ?? '')
    if (match[1] === 'short') pocket?.noticeShortage()
    else pocket?.noticeFreed()
  }

  /** A pocket that is asking the authority cannot be closed before it has its answer. */
  async #answered(pocket: BudgetPocket): Promise<void> {
    for (let rounds = 0; pocket.isAsking && rounds < closingRoundsMax; rounds++)
      await new Promise<void>((resolve) => void this.#needs.time.after(closingRoundMs, resolve))
  }

  #stayFresh(askedMs: number): void {
    // A margin for the way to the database and for clocks that run apart.
    this.#freshUntilMs = askedMs + this.#options.leaseSeconds * 1000 * 0.8
  }

  #beatAgainAndAgain(): void {
    const beatMs = Math.min(beatMsMax, (this.#options.leaseSeconds * 1000) / 4)
    this.#nextBeat = this.#needs.time.after(beatMs, () => {
      this.#beatAgainAndAgain()
      void this.#beat()
    })
  }

  /** One at a time; who comes meanwhile waits for the one that is under way. */
  #beat(): Promise<void> {
    this.#beating ??= this.#renew().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async #renew(): Promise<void> {
    const asked = this.#needs.time.monotonicMs()
    try {
      if (await this.#needs.authority.renew(this.#instanceId, this.#options.leaseSeconds)) {
        this.#stayFresh(asked)
        // Beside the signs of life: of thousands of pockets it takes longer than one of them may be late.
        this.#tending ??= this.#tend().finally(() => {
          this.#tending = undefined
        })
      } else await this.beginAnew()
    } catch (error) {
      this.#noteFailed('lease.renew_failed', error)
    }
  }

  /**
   * This instance was taken for dead: its leases are gone and its open calls were settled at their bound. It goes on
   * under a new name with empty pockets. The name holds once it is registered; until then no call is admitted, and
   * whoever else notices waits for the same beginning.
   */
  beginAnew(): Promise<void> {
    this.#beginning ??= this.#begin().finally(() => {
      this.#beginning = undefined
    })
    return this.#beginning
  }

  async #begin(): Promise<void> {
    const { authority, time } = this.#needs
    this.#needs.log.error('lease.lost', { instance: this.#instanceId })
    this.#losePockets()
    const instanceId = this.#needs.newInstanceId()
    const asked = time.monotonicMs()
    await this.#register(instanceId)
    // A sign of life that was answered late may have admitted somebody under the old name meanwhile.
    this.#losePockets()
    this.#instanceId = instanceId
    this.#leases = authority.lendTo(instanceId)
    this.#stayFresh(asked)
  }

  #losePockets(): void {
    this.#freshUntilMs = lostMs
    const lost = [...this.#budgets.values()]
    this.#budgets.clear()
    for (const pocket of lost) pocket.lose()
  }

  #register(instanceId: Uuid): Promise<void> {
    const { authority, platform, place } = this.#needs
    const { leaseSeconds } = this.#options
    return authority.register({ instanceId, platform, leaseSeconds, place })
  }

  /**
   * Gives back what nobody uses any more, and borrows what will be used while the leases can be relied on, should the
   * database go away now.
   */
  async #tend(): Promise<void> {
    const aheadMs = this.#options.aheadMs ?? this.#options.leaseSeconds * 1000
    // Long, so that who calls seldom finds a lease here while the database is away.
    const idleMs = (this.#options.leaseSeconds * 1000) / 2
    // A pocket is forgotten an hour after its period: until then a waiting call may still know it, and two pockets of
    // one account would share one lease.
    const longAgo = this.#needs.now() - 3_600_000
    for (const [key, pocket] of this.#rates) if (pocket.isOver) this.#rates.delete(key)
    try {
      for (const [id, pocket] of this.#budgets) {
        if ((await pocket.closeIfIdle(idleMs)) && pocket.account.periodEnd < longAgo) this.#budgets.delete(id)
        await pocket.lendAhead(aheadMs, idleMs)
      }
    } catch (error) {
      this.#noteFailed('lease.tend_failed', error)
    }
  }

  #noteFailed(event: string, error: unknown): void {
    this.#needs.log.warn(event, { instance: this.#instanceId })
    if (!(error instanceof Failure)) this.#needs.log.error('lease.broke', {}, error)
  }
}
