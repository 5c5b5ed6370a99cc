import { sql } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import { systemStatement, violatedConstraint, type Database, type Tx } from '../db/index.ts'
import type { Account, AccountState, Authority, LeaseAuthority, NewInstance } from './account.ts'

/** The channel on which instances tell each other of shortages and of what was given back. */
export const quotaChannel = 'formulary_quota'

const keyOf = (account: Account): unknown[] => [
  account.tenantId,
  account.license,
  account.budget,
  new Date(account.periodStart),
]

interface StateRow {
  limit: string | null
  settled: string
  leased: string
  used: string
}

/** Postgres as the authority. Every method is one statement, so that it happens or does not. */
export const postgresAuthority = (database: Database): Authority => ({
  register: (instance) => registerInstance(database, instance),
  renew: (instanceId, leaseSeconds) => renewInstance(database, instanceId, leaseSeconds),
  unregister: (instanceId) => unregisterInstance(database, instanceId),
  lendTo: (instanceId) => leasesOf(database, instanceId),
})

/** A lease is known by its account and its instance: the first five values of every statement. */
const isAccount = 'a.tenant_id = $1 and a.license = $2 and a.budget = $3 and a.period_start = $4'
const isLease = 'l.tenant_id = $1 and l.license = $2 and l.budget = $3 and l.period_start = $4 and l.instance_id = $5'

/**
 * The lease as a command finds it, locked before the account, as expiry does it. A command that comes after a later one
 * finds none.
 */
const found = `lease as materialized (
             select l.amount, l.used from budget_lease l where ${isLease} and l.last_command < $6::bigint for update)`

/** What an account could lend if this lease were only what its instance knows of. */
const left = `(a."limit" - a.settled - a.leased + lease.amount - $7::numeric)`

function leasesOf(database: Database, instanceId: Uuid): LeaseAuthority {
  let lastCommand = 0
  const run = <Row extends Record<string, unknown>>(name: string, text: string, values: unknown[]) =>
    systemStatement<Row>(database, 'lend-budget', { name, text, values })
  const leaseOf = (account: Account): unknown[] => [...keyOf(account), instanceId]

  return {
    async open(account, { limit, revision }) {
      try {
        await run(
          'budget-open',
          `with account as (
             insert into budget_account as a
               (tenant_id, license, budget, period_start, period_end, "limit", limit_revision)
             values ($1, $2, $3, $4, $6, $7, $8)
             on conflict (tenant_id, license, budget, period_start) do update
               set "limit" = excluded."limit", limit_revision = excluded.limit_revision,
                   grandfathered = a.settled + a.leased
               where a.limit_revision < excluded.limit_revision)
           insert into budget_lease (tenant_id, license, budget, period_start, instance_id, amount)
           values ($1, $2, $3, $4, $5, 0)
           on conflict (tenant_id, license, budget, period_start, instance_id) do nothing`,
          [...leaseOf(account), new Date(account.periodEnd), limit?.toString() ?? null, revision],
        )
      } catch (error) {
        // Fenced: whoever asks for a loan next is told.
        if (violatedConstraint(error) !== 'budget_lease_instance_is_alive') throw error
      }
    },

    async lend(account, held, { needMin, need, want }) {
      const command = ++lastCommand
      const amounts = [held, needMin, need, want].map((amount) => amount.toString())
      const [lent] = await run<{ granted: string }>(
        'budget-lend',
        `with ${found},
           lent as (
             update budget_account a
             set leased = a.leased - lease.amount + $7::numeric + case when a."limit" is null then $10::numeric else
               least(${left}, greatest($9::numeric, least($10::numeric, div(${left}, 8)))) end
             from lease
             where ${isAccount} and (a."limit" is null or ${left} >= $8::numeric)
             returning new.leased - old.leased + lease.amount - $7::numeric as granted),
           booked as (
             update budget_lease l set amount = $7::numeric + lent.granted, last_command = $6 from lent
             where ${isLease})
         select granted from lent`,
        [...leaseOf(account), command, ...amounts],
      )
      if (lent !== undefined) return { granted: BigInt(lent.granted) }
      const state = await stateOf(account)
      return state === undefined ? { fenced: true } : { state }
    },

    async giveBack(account, held) {
      const command = ++lastCommand
      await run(
        'budget-give-back',
        `with ${found},
           kept as (
             update budget_lease l set amount = $7::numeric, last_command = $6 from lease
             where ${isLease} and lease.used <= $7::numeric
             returning 1),
           freed as (
             update budget_account a set leased = a.leased - lease.amount + $7::numeric from lease
             where ${isAccount} and lease.amount <> $7::numeric and exists (select from kept)
             returning 1)
         select pg_notify('${quotaChannel}', $8) from freed`,
        [...leaseOf(account), command, held.toString(), `freed ${instanceId} ${account.id}`],
      )
    },

    async close(account) {
      const command = ++lastCommand
      await run(
        'budget-close',
        `with ${found},
           emptied as (
             update budget_lease l set amount = 0, used = 0, last_command = $6 from lease where ${isLease}),
           freed as (
             update budget_account a set settled = a.settled + lease.used, leased = a.leased - lease.amount from lease
             where ${isAccount} and lease.amount > 0
             returning 1)
         select pg_notify('${quotaChannel}', $7) from freed`,
        [...leaseOf(account), command, `freed ${instanceId} ${account.id}`],
      )
    },

    async announceShortage(account) {
      await run('budget-short', `select pg_notify('${quotaChannel}', $1)`, [`short ${instanceId} ${account.id}`])
    },
  }

  /** Undefined when this instance has no lease of it: it was taken for dead. */
  async function stateOf(account: Account): Promise<AccountState | undefined> {
    const [row] = await run<StateRow & Record<string, unknown>>(
      'budget-state',
      `select a."limit", a.settled, a.leased, sum(l.used) as used
       from budget_account a join budget_lease l using (tenant_id, license, budget, period_start)
       where a.tenant_id = $1 and a.license = $2 and a.budget = $3 and a.period_start = $4
       group by a.tenant_id, a.license, a.budget, a.period_start
       having bool_or(l.instance_id = $5)`,
      leaseOf(account),
    )
    return row === undefined ? undefined : stateFrom(row)
  }
}

const stateFrom = (row: StateRow): AccountState => ({
  limit: row.limit === null ? null : BigInt(row.limit),
  settled: BigInt(row.settled),
  leased: BigInt(row.leased),
  used: BigInt(row.used),
})

/** The instances of one home. */
export function instancesAt(
  database: Database,
  home: string,
): Promise<readonly { readonly instanceId: Uuid; readonly pid: number }[]> {
  return systemStatement(database, 'sweep-instances', {
    name: 'instances-at',
    text: `select instance_id as "instanceId", pid from instance where home = $1 and pid is not null`,
    values: [home],
  })
}

/** A new instance, alive for one lease time. */
async function registerInstance(database: Database, instance: NewInstance): Promise<void> {
  await systemStatement(database, 'lend-budget', {
    name: 'instance-register',
    text: `insert into instance (instance_id, platform, alive_until, home, pid)
           values ($1, $2, now() + make_interval(secs => $3), $4, $5)`,
    values: [
      instance.instanceId,
      instance.platform,
      instance.leaseSeconds,
      instance.place?.home ?? null,
      instance.place?.pid ?? null,
    ],
  })
}

/** Stays alive for another lease time; false when the instance was taken for dead. */
async function renewInstance(database: Database, instanceId: Uuid, leaseSeconds: number): Promise<boolean> {
  const rows = await systemStatement(database, 'lend-budget', {
    name: 'instance-renew',
    text: `update instance set alive_until = now() + make_interval(secs => $2) where instance_id = $1 returning 1`,
    values: [instanceId, leaseSeconds],
  })
  return rows.length === 1
}

/** Removes an instance whose leases have all been closed and whose calls have all ended. */
async function unregisterInstance(database: Database, instanceId: Uuid): Promise<void> {
  await systemStatement(database, 'lend-budget', {
    name: 'instance-unregister',
    text: `with closed as (delete from budget_lease where instance_id = $1 and amount = 0)
           delete from instance i where instance_id = $1
             and not exists (select from budget_lease l where l.instance_id = i.instance_id and l.amount > 0)
             and not exists (select from reservation r where r.instance_id = i.instance_id)
             and not exists (select from usage_batch b where b.instance_id = i.instance_id)`,
    values: [instanceId],
  })
}

/** What is left of a tenant's budgets, as the tenant may read it. Used counts what is settled inside leases as well. */
export async function loadAccounts(
  tx: Tx,
  license: string,
): Promise<readonly { budget: string; periodStart: Date; limit: bigint | null; used: bigint; held: bigint }[]> {
  const rows = await tx
    .selectFrom('budget_account as a')
    .leftJoin('budget_lease as l', (join) =>
      join
        .onRef('l.tenant_id', '=', 'a.tenant_id')
        .onRef('l.license', '=', 'a.license')
        .onRef('l.budget', '=', 'a.budget')
        .onRef('l.period_start', '=', 'a.period_start'),
    )
    .select((of) => [
      'a.budget',
      'a.period_start',
      'a.limit',
      'a.settled',
      'a.leased',
      of.fn.coalesce(of.fn.sum<string>('l.used'), of.val('0')).as('used'),
    ])
    .where('a.license', '=', license)
    .where('a.period_end', '>', new Date())
    .groupBy(['a.tenant_id', 'a.license', 'a.budget', 'a.period_start'])
    .execute()
  return rows.map((row) => ({
    budget: row.budget,
    periodStart: row.period_start,
    limit: row.limit === null ? null : BigInt(row.limit),
    used: BigInt(row.settled) + BigInt(row.used),
    held: BigInt(row.leased) - BigInt(row.used),
  }))
}

/** Forgets windows that ended a minute ago. */
export async function pruneRateWindows(tx: Tx): Promise<void> {
  await tx
    .deleteFrom('rate_window')
    .where('expire', '<', BigInt(Date.now() - 60_000))
    .execute()
}

/** Forgets closed leases of periods that ended a day ago. */
export async function pruneLeases(tx: Tx): Promise<void> {
  await sql`
    delete from budget_lease l using budget_account a
    where l.amount = 0 and a.period_end < now() - interval '1 day' and a.tenant_id = l.tenant_id
      and a.license = l.license and a.budget = l.budget and a.period_start = l.period_start`.execute(tx)
}
