import { sql } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import { systemStatement, systemTransaction, type Database, type Tx } from '../db/index.ts'
import { unfoldAllOf } from './store-unfold.ts'

/**
 * Ends what dead instances left behind, each in one transaction: the calls that were in flight become ledger rows with
 * outcome `expired`, their tokens at the upper bound, because nobody knows what was used; they are not charged, and the
 * reconciliation with the model host's own log corrects them. Batches that it wrote are unfolded first: what settled
 * calls used is settled, and the rest of the leases is free. Should the instance only have slept, it can write nothing
 * more under this name.
 * @returns how many instances and calls were ended.
 */
export async function expireInstances(database: Database): Promise<{ instances: number; calls: number }> {
  let instances = 0
  let calls = 0
  for (;;) {
    const ended = await systemTransaction(database, 'sweep-instances', expireOneOfAll)
    if (ended === undefined) return { instances, calls }
    instances++
    calls += ended.calls
  }
}

/** @throws Failure when the database does not answer. */
export async function reachLedger(database: Database): Promise<void> {
  await systemStatement(database, 'sweep-instances', { name: 'ledger-reach', text: 'select 1', values: [] })
}

/** Ends one instance whose process is known to be dead. Nothing happens when it is ended already. */
export async function expireInstance(database: Database, instanceId: Uuid): Promise<void> {
  await systemTransaction(database, 'sweep-instances', async (tx) => {
    const { rows } = await sql`select 1 from instance where instance_id = ${instanceId} for update`.execute(tx)
    if (rows.length === 1) await expireOne(tx, instanceId)
  })
}

async function expireOneOfAll(tx: Tx): Promise<{ calls: number } | undefined> {
  const dead = await sql<{ instance_id: Uuid }>`
    select instance_id from instance where alive_until < now()
    order by alive_until limit 1 for update skip locked`.execute(tx)
  const instanceId = dead.rows[0]?.instance_id
  return instanceId === undefined ? undefined : expireOne(tx, instanceId)
}

/** The transaction holds the instance's row. */
async function expireOne(tx: Tx, instanceId: Uuid): Promise<{ calls: number }> {
  // A batch that is being written now ends first, because it holds the instance's row; none comes after it.
  await unfoldAllOf(tx, instanceId)
  // A note may have come after the row that ended its call.
  await sql`
    delete from reservation r using usage_event e
    where r.instance_id = ${instanceId} and e.tenant_id = r.tenant_id and e.started_at = r.started_at
      and e.request_id = r.request_id and (e.ends_call or e.requests = 1)`.execute(tx)
  const events = await sql<{ calls: string }>`
    with event as (
      insert into usage_event (
        tenant_id, request_id, attempt, started_at, operation, streamed, outcome, duration_ms,
        license, license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region,
        requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos,
        policy, instance_id, ends_call)
      select r.tenant_id, r.request_id, 0, r.started_at, f.operation, f.streamed, 'expired',
        least(extract(epoch from now() - r.started_at) * 1000, 2147483647)::integer,
        f.license, f."licenseRevision", f.facility, f.application, f."keyId", f.audience, f.purpose, f.model, f.version,
        f.deployment, f.region, 1, f."inputTokens", f."outputTokens", f.inferences, 'bound', f.plan, f."planRevision",
        f.currency, 0, f.policies, r.instance_id, true
      from reservation r cross join lateral jsonb_to_record(r.facts) as f (
        operation text, streamed boolean, license text, "licenseRevision" integer, facility text, application text,
        "keyId" text, audience text, purpose text, model text, version text, deployment text, region text,
        "inputTokens" bigint, "outputTokens" bigint, inferences bigint, plan text, "planRevision" integer,
        currency text, policies text[])
      where r.instance_id = ${instanceId}
      on conflict do nothing
      returning 1)
    select count(*) as calls from event`.execute(tx)
  // A lease holds the bounds of all calls in flight. What it does not hold was given back by a call that had ended below
  // its bound, and whose note had not gone yet: it is not charged, or the budget would be overdrawn.
  await sql`
    with expired as (
      select r.tenant_id, r.facts ->> 'license' as license, h.budget,
        to_timestamp(h."periodStart" / 1000.0) as period_start, sum(h."atExpiry") as amount
      from reservation r cross join lateral jsonb_to_recordset(r.holds)
        as h (budget text, "periodStart" bigint, "atExpiry" numeric)
      where r.instance_id = ${instanceId}
      group by 1, 2, 3, 4),
    ended as (
      delete from budget_lease where instance_id = ${instanceId}
      returning tenant_id, license, budget, period_start, amount, used),
    outcome as (
      select l.tenant_id, l.license, l.budget, l.period_start, l.amount,
        least(l.amount, l.used + coalesce(x.amount, 0)) as used
      from ended l left join expired x using (tenant_id, license, budget, period_start)
      order by 1, 2, 3, 4)
    update budget_account a set settled = a.settled + o.used, leased = a.leased - o.amount
    from outcome o
    where a.tenant_id = o.tenant_id and a.license = o.license and a.budget = o.budget
      and a.period_start = o.period_start`.execute(tx)
  await tx.deleteFrom('reservation').where('instance_id', '=', instanceId).execute()
  await tx.deleteFrom('instance').where('instance_id', '=', instanceId).execute()
  return { calls: Number(events.rows[0]?.calls ?? 0) }
}
