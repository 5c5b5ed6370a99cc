import type { Uuid } from '../../src/kernel/index.ts'
import { budgetName } from '../../src/licensing/index.ts'
import type { Permit } from '../../src/policy/index.ts'
import {
  amountIn,
  limitOf,
  type Bound,
  type LeaseUse,
  type QuotaRefusal,
  type Reservation,
} from '../../src/quota/index.ts'
import { eventKey, leaseKey, type SimulatedDatabase } from './simulated-database.ts'

/** A guarantee that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** Which one: two failures are the same when this is the same. */
  readonly guarantee: string

  constructor(guarantee: string, message: string) {
    super(`${guarantee}: ${message}`)
    this.guarantee = guarantee
  }
}

/** What a caller has, and the model host said that it used. */
export interface Received {
  readonly attempt: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** A call that holds a reservation, as the checker saw it. */
interface HeldFacts {
  readonly instanceId: Uuid
  /** What it holds of each account: its bound, and when it has ended what it used, until its row is written. */
  holds: readonly { readonly accountId: string; readonly amount: bigint }[]
}

/**
 * Knows what callers received and what calls hold, and looks at the database after everything that happens to it. It
 * shares no arithmetic with what it checks.
 */
export class Checker {
  readonly #database: SimulatedDatabase
  readonly #isSpooled: (requestId: Uuid) => boolean
  readonly #reservations = new Map<Uuid, Reservation>()
  readonly #holding = new Map<Uuid, HeldFacts>()
  readonly #delivered = new Map<Uuid, Received>()
  /** What the rows of the ledger come to for each account. */
  readonly #counted = new Map<string, bigint>()
  /**
   * What rows may say too much: of calls whose end was safe in the spool of a machine that did not bring it before its
   * instance was ended. The row stands at the bound; the budget holds what the call had kept of it by then.
   */
  readonly #tooMuch = new Map<string, bigint>()
  #rowsSeen = 0
  /** Calls that ended in their process, whatever came of it. */
  readonly #ended = new Set<Uuid>()
  #noted: Uuid[] = []
  readonly #countedCalls = new Set<Uuid>()
  readonly figures = {
    calls: 0,
    delivered: 0,
    refused: 0,
    unavailable: 0,
    expired: 0,
    /** Batches that went to a disk, and those whose instance had been ended when they came. */
    spooled: 0,
    late: 0,
    fenced: 0,
    died: 0,
    lentAhead: 0,
  }

  constructor(database: SimulatedDatabase, isSpooled: (requestId: Uuid) => boolean) {
    this.#database = database
    this.#isSpooled = isSpooled
  }

  held(requestId: Uuid, reservation: Reservation): void {
    this.figures.calls++
    this.#reservations.set(requestId, reservation)
    const holds = reservation.budgets.map(({ pocket, amount }) => ({ accountId: pocket.account.id, amount }))
    this.#holding.set(requestId, { instanceId: reservation.instanceId, holds })
    this.check()
  }

  /** The call has ended; its row is not written yet. */
  ended(requestId: Uuid, uses: readonly LeaseUse[]): void {
    this.#ended.add(requestId)
    const held = this.#holding.get(requestId)
    if (held !== undefined)
      held.holds = uses.map(({ pocket, used }) => ({ accountId: pocket.account.id, amount: used }))
  }

  released(requestId: Uuid): void {
    this.#ended.add(requestId)
    this.#holding.delete(requestId)
  }

  /** The caller has its last bytes. */
  received(requestId: Uuid, received: Received): void {
    this.figures.delivered++
    this.#delivered.set(requestId, received)
    const { events, batches } = this.#database
    if (events.has(eventKey(requestId, received.attempt))) return
    for (const { rows } of batches.values())
      for (const { event } of rows) if (event.requestId === requestId && event.attempt === received.attempt) return
    if (this.#isSpooled(requestId)) return
    throw new Violation('what was delivered is in the ledger', `${requestId} has its last bytes, and stands nowhere`)
  }

  /** A call is refused for good only when what was used and this call do not fit together. */
  refused(refusals: readonly QuotaRefusal[], permit: Permit, bound: Bound): void {
    this.figures.refused++
    const { license, revision } = permit.licensed
    for (const refusal of refusals) {
      if (refusal.reason !== 'budget_exhausted' || refusal.held) continue
      const budget = revision.terms.budgets.find((each) => budgetName(each) === refusal.budget)
      if (budget === undefined) throw new Violation('a refusal is true', `${refusal.budget} is no budget of ${license}`)
      const needMin = amountIn(budget.meter, bound.at(bound.outputTokensUseful))
      const known = limitOf(budget, revision.revision).limit
      for (const { account, limit, settled } of this.#database.accounts.values()) {
        if (account.license !== license || account.budget !== refusal.budget) continue
        if (account.periodEnd !== refusal.resetsAt || limit === null || known === null) continue
        const used = settled + this.#database.usedInLeases(account.id)
        if (used + needMin <= limit && used + needMin <= known)
          throw new Violation(
            'a refusal is true',
            `${refusal.budget} has room: ${used} used of ${limit}, ${needMin} needed`,
          )
      }
    }
  }

  /** After everything that happens to the database. */
  check(): void {
    const { accounts, leases, events, instances, notes } = this.#database
    const lent = new Map<string, bigint>()
    const used = new Map<string, bigint>()
    for (const lease of leases.values()) {
      lent.set(lease.accountId, (lent.get(lease.accountId) ?? 0n) + lease.amount)
      used.set(lease.accountId, (used.get(lease.accountId) ?? 0n) + lease.used)
      if (lease.used < 0n || lease.used > lease.amount)
        throw new Violation(
          'used is never more than the lease',
          `${lease.used} of ${lease.amount} in ${lease.instanceId}`,
        )
    }
    if (events.size !== this.#rowsSeen) this.#countRows()
    for (const [id, row] of accounts) {
      const most = row.limit === null || row.limit > row.grandfathered ? row.limit : row.grandfathered
      if (most !== null && row.settled + row.leased > most)
        throw new Violation('a budget is never overdrawn', `${row.settled} settled and ${row.leased} lent of ${most}`)
      if (row.leased !== (lent.get(id) ?? 0n))
        throw new Violation('what is lent is in leases', `${row.leased} is lent, leases hold ${lent.get(id) ?? 0n}`)
      const booked = row.settled + (used.get(id) ?? 0n)
      const counted = this.#counted.get(id) ?? 0n
      if (booked > counted || booked < counted - (this.#tooMuch.get(id) ?? 0n))
        throw new Violation(
          'the budget is the ledger',
          `${booked} booked in ${row.account.budget}, rows come to ${counted}`,
        )
    }
    for (const requestId of this.#noted)
      if (!notes.has(requestId) && !this.#ended.has(requestId) && !this.#countedCalls.has(requestId))
        throw new Violation(
          'a call in flight is never forgotten',
          `the note of ${requestId} is gone, and it has no row`,
        )
    this.#noted = [...notes.keys()]
    const covered = new Map<string, bigint>()
    for (const [requestId, { instanceId, holds }] of this.#holding) {
      // A fenced instance's calls can no longer be settled, and are settled for it.
      if (!instances.has(instanceId)) {
        this.#holding.delete(requestId)
        continue
      }
      for (const { accountId, amount } of holds) {
        const key = leaseKey(instanceId, accountId)
        covered.set(key, (covered.get(key) ?? 0n) + amount)
      }
    }
    for (const [key, amount] of covered) {
      const lease = leases.get(key)
      const room = lease === undefined ? 0n : lease.amount - lease.used
      if (amount > room)
        throw new Violation('every call in flight is covered by a lease', `${key}: ${amount} held, ${room} lent`)
    }
  }

  /** Nobody calls and nothing goes wrong since more than a lease time: nothing is held. */
  checkIdle(): void {
    const { accounts, notes, instances, endedCalls } = this.#database
    for (const { account, leased } of accounts.values())
      if (leased !== 0n) throw new Violation('nothing is held after the lease time', `${leased} of ${account.budget}`)
    // One that came late may stay until its instance goes.
    for (const [requestId, { instanceId }] of notes)
      if (instances.has(instanceId) && this.#ended.has(requestId) && !endedCalls.has(requestId))
        throw new Violation('a note goes when its call ends', `${requestId} has ended, and its note is still there`)
  }

  /** Everybody has stopped. */
  checkEnd(): void {
    this.check()
    this.checkIdle()
    const { instances, notes, events, batches, setAsideBatches } = this.#database
    if (batches.size > 0 || setAsideBatches.length > 0) throw new Violation('nothing is left behind', 'batches')
    for (const instanceId of instances.keys()) throw new Violation('nothing is left behind', `instance ${instanceId}`)
    for (const requestId of notes.keys()) throw new Violation('nothing is left behind', `a note of ${requestId}`)
    for (const [requestId, received] of this.#delivered) this.#requireRow(requestId, received)
    const counted = new Map<Uuid, number>()
    for (const { requestId, requests } of events.values())
      counted.set(requestId, (counted.get(requestId) ?? 0) + requests)
    for (const [requestId, rows] of counted)
      if (rows > 1) throw new Violation('a call is counted once', `${requestId} stands in ${rows} rows`)
  }

  #requireRow(requestId: Uuid, received: Received): void {
    const row = this.#database.events.get(eventKey(requestId, received.attempt))
    if (row === undefined) throw new Violation('what was delivered is in the ledger', `${requestId} has no row`)
    if (row.inputTokens !== received.inputTokens || row.outputTokens !== received.outputTokens)
      throw new Violation('what was delivered is in the ledger', `the row of ${requestId} says something else`)
  }

  #countRows(): void {
    let index = 0
    for (const event of this.#database.events.values()) {
      if (index++ < this.#rowsSeen) continue
      if (event.outcome === 'expired') this.figures.expired++
      const reservation = this.#reservations.get(event.requestId)
      if (reservation === undefined)
        throw new Violation('nothing impossible is written', `a row of ${event.requestId}, which held nothing`)
      // A failed attempt used nothing, and what expired before it was written late counts at its bound already.
      if (event.requests === 0) continue
      const endIsFarAway = event.outcome === 'expired' && this.#isSpooled(event.requestId)
      const amounts = { ...event, cost: event.charge }
      for (const { pocket, meter } of reservation.budgets) {
        const { id } = pocket.account
        const amount = amountIn(meter, amounts)
        this.#counted.set(id, (this.#counted.get(id) ?? 0n) + amount)
        if (endIsFarAway) this.#tooMuch.set(id, (this.#tooMuch.get(id) ?? 0n) + amount)
      }
      this.#holding.delete(event.requestId)
      this.#countedCalls.add(event.requestId)
    }
    this.#rowsSeen = index
  }
}
