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

function leasesOf(database: Database, instanceId: Uuid): LeaseAuthority {
  const run = <Row extends Record<string, unknown>>(name: string, text: string, values: unknown[]) =>
    systemStatement<Row>(database, 'lend-budget', { name, text, values })

  return {
    async open(account, { limit, revision }) {
      await run(
        'budget-open',
        `insert into budget_account as a (tenant_id, license, budget, period_start, period_end, "limit", limit_revision)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, license, budget, period_start) do update
           set "limit" = excluded."limit", limit_revision = excluded.limit_revision,
               grandfathered = a.settled + a.leased
           where a.limit_revision < excluded.limit_revision`,
        [...keyOf(account), new Date(account.periodEnd), limit?.toString() ?? null, revision],
      )
    },

    async lend(account, { needMin, need, want }) {
      try {
        const rows = await run<{ granted: string }>(
          'budget-lend',
          `with lent as (
             update budget_account a
             set leased = a.leased + case when a."limit" is null then $8::numeric else
               least(a."limit" - a.settled - a.leased,
                     greatest($7::numeric, least($8::numeric, div(a."limit" - a.settled - a.leased, 8)))) end
             where a.tenant_id = $1 and a.license = $2 and a.budget = $3 and a.period_start = $4
               and (a."limit" is null or a."limit" - a.settled - a.leased >= $6::numeric)
             returning new.leased - old.leased as amount)
           insert into budget_lease as l (tenant_id, license, budget, period_start, instance_id, amount)
           select $1, $2, $3, $4, $5, amount from lent
           on conflict (tenant_id, license, budget, period_start, instance_id)
             do update set amount = l.amount + excluded.amount
           returning (select amount from lent) as granted`,
          [...keyOf(account), instanceId, needMin.toString(), need.toString(), want.toString()],
        )
        const [lent] = rows
        return lent === undefined ? { state: await stateOf(account) } : { granted: BigInt(lent.granted) }
      } catch (error) {
        if (violatedConstraint(error) === 'budget_lease_instance_is_alive') return { fenced: true }
        throw error
      }
    },

    async giveBack(account, amount) {
      await run(
        'budget-give-back',
        `with returned as (
           update budget_lease set amount = amount - $6::numeric
           where tenant_id = $1 and license = $2 and budget = $3 and period_start = $4 and instance_id = $5
             and amount - $6::numeric >= used
           returning 1),
         freed as (
           update budget_account set leased = leased - $6::numeric
           where tenant_id = $1 and license = $2 and budget = $3 and period_start = $4
             and exists (select from returned)
           returning 1)
         select pg_notify('${quotaChannel}', $7) from freed`,
        [...keyOf(account), instanceId, amount.toString(), `freed ${instanceId} ${account.id}`],
      )
    },

    async close(account) {
      await run(
        'budget-close',
        `with ended as (
           delete from budget_lease
           where tenant_id = $1 and license = $2 and budget = $3 and period_start = $4 and instance_id = $5
           returning amount, used),
         freed as (
           update budget_account a set settled = a.settled + ended.used, leased = a.leased - ended.amount from ended
           where a.tenant_id = $1 and a.license = $2 and a.budget = $3 and a.period_start = $4
           returning 1)
         select pg_notify('${quotaChannel}', $6) from freed`,
        [...keyOf(account), instanceId, `freed ${instanceId} ${account.id}`],
      )
    },

    async announceShortage(account) {
      await run('budget-short', `select pg_notify('${quotaChannel}', $1)`, [`short ${instanceId} ${account.id}`])
    },
  }

  async function stateOf(account: Account): Promise<AccountState> {
    const rows = await run<StateRow & Record<string, unknown>>(
      'budget-state',
      `select a."limit", a.settled, a.leased, coalesce(sum(l.used), 0) as used
       from budget_account a left join budget_lease l using (tenant_id, license, budget, period_start)
       where a.tenant_id = $1 and a.license = $2 and a.budget = $3 and a.period_start = $4
       group by a.tenant_id, a.license, a.budget, a.period_start`,
      keyOf(account),
    )
    return stateFrom(rows[0])
  }
}

function stateFrom(row: StateRow | undefined): AccountState {
  if (row === undefined) return { limit: null, settled: 0n, leased: 0n, used: 0n }
  return {
    limit: row.limit === null ? null : BigInt(row.limit),
    settled: BigInt(row.settled),
    leased: BigInt(row.leased),
    used: BigInt(row.used),
  }
}

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

/** Removes an instance whose leases have all been closed. */
async function unregisterInstance(database: Database, instanceId: Uuid): Promise<void> {
  await systemStatement(database, 'lend-budget', {
    name: 'instance-unregister',
    text: `delete from instance i where instance_id = $1
             and not exists (select from budget_lease l where l.instance_id = i.instance_id)
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
