import { assert, Failure, type Instant } from '../kernel/index.ts'
import type { Account, AccountLimit, LeaseAuthority, Wanted } from './account.ts'

/** Why a pocket has not enough. `held`: what is missing is not used up, other calls hold it and may give it back. */
export interface Shortage {
  readonly held: boolean
  readonly resetsAt: Instant
}

/** Time for a pocket: simulated in tests. */
export interface PocketTime {
  monotonicMs(): number
  /** Runs `wake` after that many milliseconds, or never when cancelled first. */
  after(milliseconds: number, wake: () => void): { cancel(): void }
}

export interface PocketOptions {
  /** How long a call waits for others to give back what they hold. */
  readonly waitMs: number
  /** For this long after somebody was short, a pocket keeps nothing that it does not need. */
  readonly tightMs: number
  /** Calls that may wait at once. */
  readonly waitersMax: number
  /** Borrows what is needed and nothing for calls to come: for an instance that lives for one call. */
  readonly exact?: boolean
}

/** What is used up stays used up in its period: only a new limit changes that, and it is heard of. */
const knownMs = 10_000
/** The longest pause between two questions for what others hold. */
const backoffMsMax = 400
/** The pace of a license is what it used in so long a time, but in no less than the shorter one: one call is no pace. */
const paceMs = 60_000
const paceMsMin = 10_000
/** A budget of which so many times as much is left has plenty, so that loans ahead leave none short. */
const plenty = 8n
/** Where there is no plenty, it is asked again so much later. */
const noPlentyMs = 30_000

interface Waiter {
  readonly needMin: bigint
  readonly need: bigint
  readonly deadlineMs: number
  resolve(outcome: Turn | Shortage): void
  reject(error: unknown): void
}

/** The end of a wait: this much is set aside until the call claims it and looks again. */
export interface Turn {
  readonly promised: bigint
}

/**
 * What one running instance holds of one account, and the calls that wait for more.
 *
 *   amount = used + reserved + promised + free
 *
 * `amount` is lent by the authority and never less than what the database knows as used plus what calls in flight may
 * still use, so that a budget cannot be overdrawn however the instance ends. A call reserves its upper bound from
 * `free`, without asking anybody; at its end the reservation turns into what it used and the rest is free again.
 *
 * When the pocket has too little, waiting calls stand in line and one request at a time goes to the authority for all
 * of them. When the authority has too little but the budget is not used up, the missing part is held: by reservations
 * that may end below their bound, or by other instances. The shortage is announced, every instance gives back what is
 * free and for a while keeps nothing, and the calls in line wait. Only when the budget is really used up, or the wait
 * is over, is a call refused: a refusal while budget is left would be a false one.
 */
export class BudgetPocket {
  readonly account: Account
  #limit: AccountLimit
  readonly #authority: LeaseAuthority
  readonly #time: PocketTime
  readonly #options: PocketOptions

  #amount = 0n
  #used = 0n
  #reserved = 0n
  /** Set aside for calls whose turn in the line has come, until they claim it. */
  #promised = 0n
  /** Part of `used` that the database does not know yet. */
  #uncommitted = 0n

  #opened = false
  /** A close was asked for and its answer never came: it is asked again before anything else. */
  #closing = false
  /** An answer never came: the lease may be more than `#amount`, until the next command that is answered. */
  #inDoubt = false
  readonly #queue: Waiter[] = []
  #pumping = false
  #nudge: (() => void) | undefined
  #tightUntilMs = Number.NEGATIVE_INFINITY
  #consumed: { amount: bigint; untilMs: number } | undefined
  #lastUseMs: number
  #lastLoanMs = Number.NEGATIVE_INFINITY
  #lastLoan = 0n
  #lastAnnouncedMs = Number.NEGATIVE_INFINITY
  /** What was used since a moment, and the pace of the time before. */
  #paced: { sinceMs: number; used: bigint }
  #lastPace = { used: 0n, inMs: 1n }
  #noLoanAheadUntilMs = Number.NEGATIVE_INFINITY
  #lost = false
  readonly #onLost: () => void

  constructor(
    needs: { authority: LeaseAuthority; time: PocketTime; options: PocketOptions; onLost?: () => void },
    account: Account,
    limit: AccountLimit,
  ) {
    this.account = account
    this.#limit = limit
    this.#authority = needs.authority
    this.#time = needs.time
    this.#options = needs.options
    this.#onLost = needs.onLost ?? (() => {})
    this.#lastUseMs = needs.time.monotonicMs()
    this.#paced = { sinceMs: this.#lastUseMs, used: 0n }
  }

  get free(): bigint {
    return this.#amount - this.#used - this.#reserved - this.#promised
  }

  get reserved(): bigint {
    return this.#reserved
  }

  /** Free, unless others stand in line before. */
  get freeForNewcomers(): bigint {
    return this.#queue.length > 0 ? 0n : this.free
  }

  /** A newer revision of the license says another limit. */
  retarget(limit: AccountLimit): void {
    if (limit.revision <= this.#limit.revision) return
    const lowered = limit.limit !== null && (this.#limit.limit === null || limit.limit < this.#limit.limit)
    this.#limit = limit
    this.#opened = false
    this.#consumed = undefined
    this.#noLoanAheadUntilMs = Number.NEGATIVE_INFINITY
    if (lowered) this.noticeShortage()
    this.#wake()
  }

  /** Takes an upper bound for a call. The caller has seen that it is free, in the same turn. */
  reserve(amount: bigint): void {
    assert(amount >= 0n && amount <= this.free, 'a reservation is never more than what is free')
    this.#reserved += amount
    this.#lastUseMs = this.#time.monotonicMs()
  }

  /** Ends a reservation: `used` of it is gone, the rest is free again. `commit` is said by `committed` when it is so. */
  end(reserved: bigint, used: bigint): void {
    assert(reserved <= this.#reserved && used <= reserved, 'a call never uses more than it reserved')
    this.#reserved -= reserved
    this.#used += used
    this.#uncommitted += used
    this.#paced.used += used
    this.#lastUseMs = this.#time.monotonicMs()
    if (this.#queue.length > 0) this.#wake()
    else if (this.#isTight()) void this.#giveBackFree()
  }

  committed(used: bigint): void {
    this.#uncommitted -= used
  }

  /** Whether the budget is known to be used up for a call that needs this much. Known for a while, then asked again. */
  knownShortage(needMin: bigint): Shortage | undefined {
    const known = this.#consumed
    const { limit } = this.#limit
    if (known === undefined || limit === null || known.untilMs < this.#time.monotonicMs()) return undefined
    return known.amount + needMin > limit ? { held: false, resetsAt: this.account.periodEnd } : undefined
  }

  /** What was set aside for a call is free again; the call looks and reserves in the same turn. */
  claim(turn: Turn): void {
    this.#promised -= turn.promised
  }

  /**
   * Waits until the pocket has enough: a turn, to be claimed at once. A shortage is final.
   * @throws Failure when the authority cannot be reached.
   */
  waitFor(need: { needMin: bigint; need: bigint }): Promise<Turn | Shortage> {
    if (this.#lost) return Promise.resolve({ promised: 0n })
    const short = this.knownShortage(need.needMin)
    if (short !== undefined) return Promise.resolve(short)
    if (this.#queue.length >= this.#options.waitersMax)
      return Promise.resolve({ held: true, resetsAt: this.account.periodEnd })
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...need, deadlineMs: this.#time.monotonicMs() + this.#options.waitMs, resolve, reject })
      void this.#pump()
    })
  }

  /** Whether the instance was taken for dead: what this pocket holds is no longer its own. */
  get lost(): boolean {
    return this.#lost
  }

  /** Who waits looks again, and finds another pocket. */
  lose(): void {
    this.#lost = true
    for (const waiter of this.#queue.splice(0)) waiter.resolve({ promised: 0n })
  }

  /** Another instance is short: give back what is free, and keep nothing for a while. */
  noticeShortage(): void {
    this.#tightUntilMs = this.#time.monotonicMs() + this.#options.tightMs
    void this.#giveBackFree()
  }

  /** Somebody gave back: ask again. */
  noticeFreed(): void {
    this.#wake()
  }

  /**
   * Ends the lease of a pocket that nobody has used for a while; of one in use, what an answer that was lost may have
   * lent beyond what is known goes back. True when there is nothing left of it.
   */
  async closeIfIdle(idleMs: number): Promise<boolean> {
    if (this.#lost) return true
    if (this.isAsking) return false
    const idle = this.#time.monotonicMs() - this.#lastUseMs >= idleMs
    if (!idle || this.#reserved > 0n || this.#promised > 0n || this.#uncommitted > 0n) {
      if (this.#inDoubt && !this.#closing) await this.#endDoubt()
      return false
    }
    if (this.#amount === 0n && !this.#closing && !this.#inDoubt) return true
    this.#pumping = true
    // From here on nothing is free: a call that comes now stands in line until the lease has ended.
    this.#amount = 0n
    this.#used = 0n
    this.#closing = true
    try {
      await this.#close()
    } finally {
      this.#pumping = false
      // Also when the close failed: who came meanwhile would wait for nobody.
      if (this.#queue.length > 0) void this.#pump()
    }
    return this.#queue.length === 0 && this.#amount === 0n
  }

  /**
   * Borrows what the license will use in so many milliseconds if it goes on as it does, once a fifth of that is missing,
   * so that calls find it here while the authority is away. Only of a budget that has plenty, and nothing while anybody
   * is short: for calls to come nobody is refused who is there. Nor for a pocket that nobody has used for half the time
   * after which it is closed.
   */
  async lendAhead(aheadMs: number, idleMs: number): Promise<void> {
    const now = this.#time.monotonicMs()
    const { free } = this
    const ahead = this.#paceFor(aheadMs)
    if (free * 5n >= ahead * 4n || now < this.#noLoanAheadUntilMs || now - this.#lastUseMs > idleMs / 2) return
    if (this.#options.exact === true || this.isAsking || this.#closing || this.#lost || this.#isTight()) return
    this.#pumping = true
    try {
      await this.#open()
      const want = ahead - free
      const answer = await this.#lend({ needMin: want * plenty, need: 0n, want })
      if ('state' in answer) this.#noLoanAheadUntilMs = now + noPlentyMs
    } catch (error) {
      this.#opened = false
      // The authority is away: this is what was provided for.
      if (!(error instanceof Failure)) throw error
    } finally {
      this.#pumping = false
      if (this.#queue.length > 0) void this.#pump()
      else if (this.#isTight()) void this.#giveBackFree()
    }
  }

  /** Whether an answer of the authority is awaited, or calls stand in line for one. */
  get isAsking(): boolean {
    return this.#pumping || this.#queue.length > 0
  }

  #isTight(): boolean {
    return this.#time.monotonicMs() < this.#tightUntilMs
  }

  #wake(): void {
    this.#nudge?.()
    if (this.#queue.length > 0) void this.#pump()
  }

  /** One at a time: nothing else is asked of the authority for this account while it runs. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    let backoffMs = 10
    try {
      while (this.#queue.length > 0) {
        await this.#open()
        if (this.#closing) await this.#close()
        this.#serve({ partly: false })
        const head = this.#queue[0]
        if (head === undefined) break
        const wanted = this.#wanted(head)
        const answer = await this.#lend(wanted)
        if ('granted' in answer) {
          this.#noteLoan(answer.granted)
          if (answer.granted < wanted.need) this.#serve({ partly: true })
          backoffMs = 10
          continue
        }
        if ('fenced' in answer) break
        const { state } = answer
        const consumed = state.settled + state.used
        this.#consumed = { amount: consumed, untilMs: this.#time.monotonicMs() + knownMs }
        this.#refuseWhom((waiter) => state.limit !== null && consumed + waiter.needMin > state.limit, false)
        if (this.#queue.length === 0) break
        await this.#announce()
        // Pieces in several pockets, each too small for a call, would serve nobody: together they may.
        await this.#returnFree()
        await this.#pause(backoffMs)
        backoffMs = Math.min(backoffMsMax, backoffMs * 2)
        const now = this.#time.monotonicMs()
        this.#serve({ partly: true })
        this.#refuseWhom((waiter) => waiter.deadlineMs <= now, true)
      }
    } catch (error) {
      this.#opened = false
      for (const waiter of this.#queue.splice(0)) waiter.reject(error)
    } finally {
      this.#pumping = false
    }
    if (this.#isTight()) void this.#giveBackFree()
  }

  async #open(): Promise<void> {
    if (this.#opened) return
    // Set first: a newer limit that arrives meanwhile opens it again.
    this.#opened = true
    await this.#authority.open(this.account, this.#limit)
  }

  async #lend(wanted: Wanted): Promise<Awaited<ReturnType<LeaseAuthority['lend']>>> {
    const wasInDoubt = this.#inDoubt
    this.#inDoubt = true
    const answer = await this.#authority.lend(this.account, this.#amount, wanted)
    // Nothing was lent, and nothing else was changed: what was in doubt still is.
    this.#inDoubt = wasInDoubt && !('granted' in answer)
    if ('granted' in answer) this.#amount += answer.granted
    if ('fenced' in answer) {
      this.lose()
      this.#onLost()
    }
    return answer
  }

  /**
   * Gives those at the head of the line their turn, as many as what is free will serve. A call that can do with less
   * than it would like gets less only when the authority had no more.
   */
  #serve(how: { partly: boolean }): void {
    for (;;) {
      const head = this.#queue[0]
      const { free } = this
      if (head === undefined || free < (how.partly ? head.needMin : head.need)) return
      const promised = free < head.need ? free : head.need
      this.#promised += promised
      this.#queue.shift()
      head.resolve({ promised })
    }
  }

  #refuseWhom(isRefused: (waiter: Waiter) => boolean, held: boolean): void {
    const refused = this.#queue.filter(isRefused)
    if (refused.length === 0) return
    const kept = this.#queue.filter((waiter) => !isRefused(waiter))
    this.#queue.splice(0, this.#queue.length, ...kept)
    for (const waiter of refused) waiter.resolve({ held, resetsAt: this.account.periodEnd })
  }

  #wanted(head: Waiter) {
    const free = this.free
    const needAll = this.#queue.reduce((sum, waiter) => sum + waiter.need, 0n) - free
    const needMin = head.needMin - free
    const need = needAll > needMin ? needAll : needMin
    if (this.#options.exact === true || this.#isTight()) return { needMin, need, want: need }
    // Twice the last loan while loans follow each other quickly, so that a busy license asks less and less often.
    const grown = this.#time.monotonicMs() - this.#lastLoanMs < 2_000 ? this.#lastLoan * 2n : 0n
    const want = need * 16n
    return { needMin, need, want: grown > want ? grown : want }
  }

  /** What is used in so many milliseconds at the pace of the last minutes, the quicker of them. */
  #paceFor(milliseconds: number): bigint {
    const now = this.#time.monotonicMs()
    const since = now - this.#paced.sinceMs
    const lately = { used: this.#paced.used, inMs: BigInt(Math.ceil(Math.max(since, paceMsMin))) }
    const before = this.#lastPace
    if (since >= paceMs) {
      this.#lastPace = lately
      this.#paced = { sinceMs: now, used: 0n }
    }
    const { used, inMs } = lately.used * before.inMs > before.used * lately.inMs ? lately : before
    return (used * BigInt(Math.round(milliseconds))) / inMs
  }

  #noteLoan(granted: bigint): void {
    this.#lastLoan = granted
    this.#lastLoanMs = this.#time.monotonicMs()
  }

  async #announce(): Promise<void> {
    const now = this.#time.monotonicMs()
    this.#tightUntilMs = now + this.#options.tightMs
    // Whoever heard it keeps nothing for `tightMs`: to say it again much sooner tells nobody anything.
    if (now - this.#lastAnnouncedMs < this.#options.tightMs / 5) return
    this.#lastAnnouncedMs = now
    await this.#authority.announceShortage(this.account)
  }

  /**
   * Waits, and half as long when somebody gives back meanwhile: not less, or each of many instances that are short would
   * ask after everything that any of them gives back.
   */
  #pause(milliseconds: number): Promise<void> {
    const beganMs = this.#time.monotonicMs()
    return new Promise((resolve) => {
      let timer = this.#time.after(milliseconds, resolve)
      this.#nudge = () => {
        this.#nudge = undefined
        timer.cancel()
        const leftMs = beganMs + milliseconds / 2 - this.#time.monotonicMs()
        if (leftMs <= 0) resolve()
        else timer = this.#time.after(leftMs, resolve)
      }
    })
  }

  async #giveBackFree(): Promise<void> {
    if (this.#pumping || this.#queue.length > 0 || this.#closing || this.#lost) return
    if (this.free <= 0n && !this.#inDoubt) return
    this.#pumping = true
    try {
      await this.#returnFree()
    } catch {
      // The database is away. The part stays lent to us until the lease is closed or expires; nobody can use it twice.
    } finally {
      this.#pumping = false
    }
    if (this.#queue.length > 0) void this.#pump()
    else if (this.#isTight() && this.free > 0n) void this.#giveBackFree()
  }

  async #returnFree(): Promise<void> {
    const { free } = this
    if (free <= 0n && !this.#inDoubt) return
    if (free > 0n) this.#amount -= free
    this.#inDoubt = true
    await this.#authority.giveBack(this.account, this.#amount)
    this.#inDoubt = false
  }

  async #endDoubt(): Promise<void> {
    this.#pumping = true
    try {
      await this.#authority.giveBack(this.account, this.#amount)
      this.#inDoubt = false
    } finally {
      this.#pumping = false
      if (this.#queue.length > 0) void this.#pump()
    }
  }

  async #close(): Promise<void> {
    await this.#authority.close(this.account)
    this.#closing = false
    this.#inDoubt = false
  }
}
