import type { Instant, Uuid } from '../kernel/index.ts'

/** One budget in one period: the unit that the database keeps exact. */
export interface Account {
  /** The key below in one string. */
  readonly id: string
  readonly tenantId: Uuid
  readonly license: string
  /** Such as `tokens/month` or `cost/term/model=ecg-low-ef`, or `concurrency`. */
  readonly budget: string
  readonly periodStart: Instant
  readonly periodEnd: Instant
}

/** The limit as a license revision says it; null is counted but not limited. */
export interface AccountLimit {
  readonly limit: bigint | null
  readonly revision: number
}

export function accountOf(key: Omit<Account, 'id'>): Account {
  return { ...key, id: `${key.tenantId}|${key.license}|${key.budget}|${key.periodStart}` }
}

/** What the authority says of an account when it has nothing to lend. */
export interface AccountState {
  readonly limit: bigint | null
  readonly settled: bigint
  readonly leased: bigint
  /** Used by settled calls, but still inside leases. */
  readonly used: bigint
}

export interface Wanted {
  /** Less than this is of no use. */
  readonly needMin: bigint
  /** All of this would serve everybody who waits. */
  readonly need: bigint
  /** More than is needed now, to be asked less often; the authority lends it only while there is plenty. */
  readonly want: bigint
}

/** Where an instance's process runs: who has the same home can see whether it still does. */
export interface Place {
  readonly home: string
  readonly pid: number
}

/** What an authority is told of a new instance. */
export interface NewInstance {
  readonly instanceId: Uuid
  readonly platform: 'node' | 'workers'
  readonly leaseSeconds: number
  readonly place: Place | undefined
}

/** Who knows which instances live, and lends to them: Postgres, or its simulation. Every call is one atomic statement. */
export interface Authority {
  /** A new instance, alive for one lease time. */
  register(instance: NewInstance): Promise<void>
  /** Stays alive for another lease time; false when the instance was taken for dead. */
  renew(instanceId: Uuid, leaseSeconds: number): Promise<boolean>
  /** Removes an instance whose leases have all been closed and whose calls have all ended. */
  unregister(instanceId: Uuid): Promise<void>
  lendTo(instanceId: Uuid): LeaseAuthority
}

/**
 * The one authority over accounts, as one instance sees it. Every call of it is one atomic statement, and numbered: one
 * that failed for the instance may have happened or happen yet, but not after a later one. `held` is what the instance
 * knows as lent to it; whatever the lease has beyond that was lent by an answer that was lost, and is free again.
 */
export interface LeaseAuthority {
  /** Makes sure that the account exists and has the limit of the newest revision, and that there is a lease to lend to. */
  open(account: Account, limit: AccountLimit): Promise<void>
  lend(
    account: Account,
    held: bigint,
    wanted: Wanted,
  ): Promise<{ granted: bigint } | { state: AccountState } | { fenced: true }>
  /** The lease is `held` from now on. What it had beyond that is free, and everybody who waits is told. */
  giveBack(account: Account, held: bigint): Promise<void>
  /** Ends the lease: what was used is settled, the rest is free. */
  close(account: Account): Promise<void>
  /** Asks every other instance to give back what it does not need. */
  announceShortage(account: Account): Promise<void>
}
