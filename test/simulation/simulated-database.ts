import { picos, zeroPicos, type Uuid } from '../../src/kernel/index.ts'
import type { CommitNeeds, OpenCall, PackedBatch, UsageEvent } from '../../src/metering/index.ts'
import type { Account, AccountLimit, AccountState } from '../../src/quota/index.ts'

type Unfolded = Awaited<ReturnType<CommitNeeds['unfold']>>

/** The database refused a row by a named constraint. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

export interface AccountRow {
  readonly account: Account
  limit: bigint | null
  revision: number
  grandfathered: bigint
  settled: bigint
  leased: bigint
}

export interface LeaseRow {
  readonly accountId: string
  readonly instanceId: Uuid
  amount: bigint
  used: bigint
  /** The number of the last command of its pocket. */
  lastCommand: number
}

interface BatchRow {
  readonly batch: PackedBatch
  readonly writtenAtMs: number
  readonly rows: readonly {
    readonly event: UsageEvent
    readonly uses: readonly { accountId: string; used: bigint }[]
  }[]
}

export type BatchName = Pick<PackedBatch, 'instanceId' | 'lane' | 'number'>

interface NoteRow {
  readonly instanceId: Uuid
  readonly call: OpenCall
}

/**
 * What Postgres keeps of the protocol, in a few maps. Each method is one transaction and does what the SQL does, its
 * constraints included; `against-postgres.test.ts` runs the same commands on both and compares every answer and row.
 */
export class SimulatedDatabase {
  /** Until when each instance is alive. */
  readonly instances = new Map<Uuid, number>()
  readonly accounts = new Map<string, AccountRow>()
  readonly leases = new Map<string, LeaseRow>()
  readonly notes = new Map<Uuid, NoteRow>()
  readonly batches = new Map<string, BatchRow>()
  readonly events = new Map<string, UsageEvent>()
  /** Not in Postgres: calls whose note was told to go, for the checker. */
  readonly endedCalls = new Set<Uuid>()
  /** Batches that the ledger refused. */
  readonly setAsideBatches: BatchName[] = []
  /** Hears what NOTIFY says. */
  onNotify: (payload: string) => void = () => {}
  onLate: () => void = () => {}

  register(instanceId: Uuid, aliveUntilMs: number): void {
    if (this.instances.has(instanceId)) throw new Refused('instance_pkey')
    this.instances.set(instanceId, aliveUntilMs)
  }

  renew(instanceId: Uuid, aliveUntilMs: number): boolean {
    if (!this.instances.has(instanceId)) return false
    this.instances.set(instanceId, aliveUntilMs)
    return true
  }

  unregister(instanceId: Uuid): void {
    let stays = false
    for (const [key, lease] of this.leases)
      if (lease.instanceId === instanceId) {
        if (lease.amount > 0n) stays = true
        else this.leases.delete(key)
      }
    for (const note of this.notes.values()) if (note.instanceId === instanceId) stays = true
    for (const { batch } of this.batches.values()) if (batch.instanceId === instanceId) stays = true
    if (!stays) this.instances.delete(instanceId)
  }

  open(instanceId: Uuid, account: Account, { limit, revision }: AccountLimit): void {
    if (!this.instances.has(instanceId)) return
    const row = this.accounts.get(account.id)
    if (row === undefined) {
      const fresh = { account, limit, revision, grandfathered: 0n, settled: 0n, leased: 0n }
      this.accounts.set(account.id, fresh)
    } else if (row.revision < revision) {
      row.limit = limit
      row.revision = revision
      row.grandfathered = row.settled + row.leased
    }
    const key = leaseKey(instanceId, account.id)
    if (!this.leases.has(key))
      this.leases.set(key, { accountId: account.id, instanceId, amount: 0n, used: 0n, lastCommand: 0 })
  }

  /** Undefined: there is too little, or no lease to lend to. */
  lend(
    { instanceId, command }: Command,
    account: Account,
    held: bigint,
    { needMin, need, want }: { needMin: bigint; need: bigint; want: bigint },
  ): { granted: bigint } | undefined {
    const found = this.#find(instanceId, command, account)
    if (found === undefined) return undefined
    const { row, lease } = found
    const left = row.limit === null ? undefined : row.limit - row.settled - row.leased + lease.amount - held
    if (left !== undefined && left < needMin) return undefined
    const granted = left === undefined ? want : least(left, greatest(need, least(want, left / 8n)))
    this.#requireLease(lease, held + granted)
    this.#book(row, { leased: held + granted - lease.amount })
    lease.amount = held + granted
    lease.lastCommand = command
    return { granted }
  }

  /** Undefined when the instance has no lease of it. */
  stateOf(instanceId: Uuid, account: Account): AccountState | undefined {
    const row = this.accounts.get(account.id)
    if (row === undefined || !this.leases.has(leaseKey(instanceId, account.id))) return undefined
    return { limit: row.limit, settled: row.settled, leased: row.leased, used: this.usedInLeases(account.id) }
  }

  usedInLeases(accountId: string): bigint {
    let used = 0n
    for (const lease of this.leases.values()) if (lease.accountId === accountId) used += lease.used
    return used
  }

  giveBack({ instanceId, command }: Command, account: Account, held: bigint): void {
    const found = this.#find(instanceId, command, account)
    if (found === undefined || found.lease.used > held) return
    const { row, lease } = found
    const freed = lease.amount - held
    this.#book(row, { leased: -freed })
    lease.amount = held
    lease.lastCommand = command
    if (freed !== 0n) this.onNotify(`freed ${instanceId} ${account.id}`)
  }

  close({ instanceId, command }: Command, account: Account): void {
    const found = this.#find(instanceId, command, account)
    if (found === undefined) return
    const { row, lease } = found
    const { amount } = lease
    this.#book(row, { settled: lease.used, leased: -amount })
    lease.amount = 0n
    lease.used = 0n
    lease.lastCommand = command
    if (amount > 0n) this.onNotify(`freed ${instanceId} ${account.id}`)
  }

  announceShortage(instanceId: Uuid, account: Account): void {
    this.onNotify(`short ${instanceId} ${account.id}`)
  }

  writeNotes(instanceId: Uuid, calls: readonly OpenCall[]): void {
    if (!this.instances.has(instanceId)) return
    for (const call of calls)
      if (!this.notes.has(call.facts.requestId)) this.notes.set(call.facts.requestId, { instanceId, call })
  }

  writeBatch(batch: PackedBatch, nowMs: number): 'written' | 'repeated' | 'fenced' {
    const key = batchKey(batch)
    if (this.batches.has(key)) return 'repeated'
    if (!this.instances.has(batch.instanceId)) return 'fenced'
    this.batches.set(key, { batch, writtenAtMs: nowMs, rows: unpacked(batch) })
    return 'written'
  }

  unfold(names: readonly BatchName[]): Unfolded {
    const taken: BatchRow[] = []
    for (const name of names) {
      const row = this.batches.get(batchKey(name))
      if (row !== undefined) taken.push(row)
    }
    const { rows, written, uses } = this.#newRows(taken, () => false)
    let settled = 0
    for (const { instanceId, accountId, used } of uses.values()) {
      const lease = this.leases.get(leaseKey(instanceId, accountId))
      if (lease === undefined) continue
      settled++
      this.#requireLease({ ...lease, used: lease.used + used }, lease.amount)
    }
    for (const { instanceId, accountId, used } of uses.values()) {
      const lease = this.leases.get(leaseKey(instanceId, accountId))
      if (lease !== undefined) lease.used += used
    }
    for (const [key, event] of written) this.events.set(key, event)
    for (const { batch } of taken) {
      this.#endCalls(batch)
      this.batches.delete(batchKey(batch))
    }
    return { batches: taken.length, rows, written: written.size, uses: uses.size, settled }
  }

  /** What nobody has unfolded for a while. */
  unfoldStragglers(nowMs: number): number {
    const left = [...this.batches.values()].filter(({ writtenAtMs }) => writtenAtMs < nowMs - 2_000)
    return left.length === 0 ? 0 : this.unfold(left.map(({ batch }) => batch)).batches
  }

  /** The rows of a batch whose instance was ended before it came. */
  writeLate(batch: PackedBatch): void {
    this.onLate()
    const expiredCalls = new Set<Uuid>()
    for (const { requestId, outcome } of this.events.values()) if (outcome === 'expired') expiredCalls.add(requestId)
    const late = { batch, writtenAtMs: 0, rows: unpacked(batch) }
    const { written, uses } = this.#newRows([late], (requestId) => expiredCalls.has(requestId))
    for (const { accountId, used } of uses.values()) {
      const row = this.accounts.get(accountId)
      if (row === undefined) continue
      row.grandfathered = greatest(row.grandfathered, row.settled + row.leased + used)
      row.settled += used
    }
    for (const [key, event] of written) this.events.set(key, event)
    this.#endCalls(batch)
  }

  #endCalls({ ended }: PackedBatch): void {
    for (const { requestId } of JSON.parse(ended) as readonly { requestId: Uuid }[]) {
      this.notes.delete(requestId)
      this.endedCalls.add(requestId)
    }
  }

  /** Rows that the ledger does not have yet, and what they take out of budgets. `isCounted`: an expired row counts it. */
  #newRows(from: readonly BatchRow[], isCounted: (requestId: Uuid) => boolean) {
    const written = new Map<string, UsageEvent>()
    const uses = new Map<string, { instanceId: Uuid; accountId: string; used: bigint }>()
    let rows = 0
    for (const { batch, rows: those } of from)
      for (const { event, uses: each } of those) {
        rows++
        const key = eventKey(event.requestId, event.attempt)
        if (this.events.has(key) || written.has(key)) continue
        const requests = isCounted(event.requestId) ? 0 : event.requests
        written.set(key, { ...event, requests })
        if (requests !== event.requests) continue
        for (const { accountId, used } of each) {
          const lease = leaseKey(batch.instanceId, accountId)
          const sum = (uses.get(lease)?.used ?? 0n) + used
          uses.set(lease, { instanceId: batch.instanceId, accountId, used: sum })
        }
      }
    return { rows, written, uses }
  }

  setAside(name: BatchName): void {
    if (this.batches.delete(batchKey(name))) this.setAsideBatches.push(name)
  }

  /** Ends what one dead instance left behind; undefined when none is dead. */
  expireOne(nowMs: number): Uuid | undefined {
    let dead: Uuid | undefined
    let longest = nowMs
    for (const [instanceId, aliveUntilMs] of this.instances)
      if (aliveUntilMs < longest) [dead, longest] = [instanceId, aliveUntilMs]
    if (dead !== undefined) this.expire(dead, nowMs)
    return dead
  }

  expire(dead: Uuid, nowMs: number): void {
    if (!this.instances.has(dead)) return
    this.unfold([...this.batches.values()].map(({ batch }) => batch).filter(({ instanceId }) => instanceId === dead))
    // A note may have come after the row that ended its call.
    const counted = new Set<Uuid>()
    for (const { requestId, endsCall } of this.events.values()) if (endsCall) counted.add(requestId)
    const charged = new Map<string, bigint>()
    for (const [requestId, { instanceId, call }] of this.notes) {
      if (instanceId !== dead) continue
      this.notes.delete(requestId)
      if (counted.has(requestId)) continue
      const event = expired(call, nowMs)
      const eventName = eventKey(event.requestId, event.attempt)
      if (!this.events.has(eventName)) this.events.set(eventName, event)
      for (const { accountId, atExpiry } of holdsOf(call))
        charged.set(accountId, (charged.get(accountId) ?? 0n) + atExpiry)
    }
    for (const [key, lease] of this.leases) {
      if (lease.instanceId !== dead) continue
      const row = this.accounts.get(lease.accountId)
      if (row === undefined) throw new Refused('a lease without an account')
      this.leases.delete(key)
      const used = least(lease.amount, lease.used + (charged.get(lease.accountId) ?? 0n))
      this.#book(row, { settled: used, leased: -lease.amount })
    }
    this.instances.delete(dead)
  }

  /** The lease as a command finds it: one that comes after a later one finds none. */
  #find(instanceId: Uuid, command: number, account: Account): { row: AccountRow; lease: LeaseRow } | undefined {
    const lease = this.leases.get(leaseKey(instanceId, account.id))
    const row = this.accounts.get(account.id)
    return lease === undefined || row === undefined || lease.lastCommand >= command ? undefined : { row, lease }
  }

  #book(row: AccountRow, change: { settled?: bigint; leased: bigint }): void {
    const settled = row.settled + (change.settled ?? 0n)
    const leased = row.leased + change.leased
    if (row.limit !== null && settled + leased > greatest(row.limit, row.grandfathered))
      throw new Refused(`budget_not_overdrawn: ${settled} settled and ${leased} lent of ${row.limit}`)
    if (settled < 0n || leased < 0n) throw new Refused('budget_amounts_are_not_negative')
    row.settled = settled
    row.leased = leased
  }

  #requireLease({ used }: LeaseRow, amount: bigint): void {
    if (used < 0n || used > amount) throw new Refused(`budget_lease_not_overdrawn: ${used} used of ${amount}`)
  }
}

/** Every command to a lease has the number of its instance's. */
export interface Command {
  readonly instanceId: Uuid
  readonly command: number
}

export const eventKey = (requestId: Uuid, attempt: number): string => `${requestId}/${attempt}`
const batchKey = ({ instanceId, lane, number }: BatchName): string => `${instanceId} ${lane} ${number}`
export const leaseKey = (instanceId: Uuid, accountId: string): string => `${instanceId} ${accountId}`

/** The accounts that a call in flight holds, and what each is charged with if nobody ever says what was used. */
export const holdsOf = ({ facts, holds }: OpenCall): readonly { accountId: string; atExpiry: bigint }[] =>
  holds.map(({ budget, periodStart, atExpiry }) => ({
    accountId: `${facts.tenantId}|${facts.license}|${budget}|${periodStart}`,
    atExpiry: BigInt(atExpiry),
  }))

interface PackedRow extends UsageEvent {
  readonly uses: readonly { readonly budget: string; readonly periodStart: number; readonly used: string }[]
}

const unpacked = (batch: PackedBatch): BatchRow['rows'] =>
  (JSON.parse(batch.events) as readonly PackedRow[]).map(({ uses, ...event }) => ({
    event: { ...event, charge: picos(BigInt(event.charge)) },
    uses: uses.map(({ budget, periodStart, used }) => ({
      accountId: `${event.tenantId}|${event.license}|${budget}|${periodStart}`,
      used: BigInt(used),
    })),
  }))

const expired = ({ facts, bound, deployment, region }: OpenCall, nowMs: number): UsageEvent => ({
  ...facts,
  ...bound,
  deployment,
  region,
  attempt: 0,
  endsCall: true,
  outcome: 'expired',
  hostStatus: undefined,
  firstByteMs: undefined,
  durationMs: Math.max(0, Math.floor(nowMs)),
  requests: 1,
  usageSource: 'bound',
  charge: zeroPicos,
})

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const greatest = (a: bigint, b: bigint): bigint => (a > b ? a : b)
