import { CompiledQuery } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import { systemStatement, type Database, type Tx } from '../db/index.ts'
import type { Unfolded, UnfoldBatches, WriteLate } from './batch.ts'

/** Where batches come from, and where goes what their rows used. */
interface Unfolding {
  readonly taken: string
  /** The row's part in the count of requests. */
  readonly requests: string
  readonly settled: string
}

/**
 * Batches become rows of the ledger. What a row takes out of a budget is taken where the row is written, in the same
 * statement and only then: however often a batch comes, it counts once.
 */
const unfold = ({ taken, requests, settled }: Unfolding): string => `
with taken as (${taken}),
entry as materialized (
  select t.instance_id, t.written_at, to_timestamp(e."startedAt" / 1000.0) as started_at, e.*
  from taken t cross join lateral json_to_recordset(t.events) as e (
    "tenantId" uuid, "requestId" uuid, attempt smallint, "startedAt" bigint, operation text, streamed boolean,
    outcome text, "endsCall" boolean, "hostStatus" smallint, "firstByteMs" integer, "durationMs" integer, license text,
    "licenseRevision" integer, facility text, application text, "keyId" text, audience text, purpose text, model text,
    version text, deployment text, region text, requests smallint, "inputTokens" bigint, "outputTokens" bigint,
    inferences bigint, "usageSource" text, plan text, "planRevision" integer, currency text, charge bigint,
    policies text[], uses json)),
event as (
  insert into usage_event (
    tenant_id, request_id, attempt, started_at, settled_at, operation, streamed, outcome, host_status, first_byte_ms,
    duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
    deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency,
    charge_picos, policy, instance_id, ends_call)
  select "tenantId", "requestId", attempt, started_at, written_at, operation, streamed, outcome, "hostStatus",
    "firstByteMs", "durationMs", license, "licenseRevision", facility, application, "keyId", audience, purpose, model,
    version, deployment, region, ${requests}, "inputTokens", "outputTokens", inferences, "usageSource", plan,
    "planRevision", currency, charge, policies, instance_id, coalesce("endsCall", requests = 1)
  from entry
  on conflict do nothing
  returning tenant_id, request_id, attempt, requests),
ended as (
  delete from reservation r
  using taken t cross join lateral json_to_recordset(t.ended) as e ("tenantId" uuid, "requestId" uuid)
  where r.tenant_id = e."tenantId" and r.request_id = e."requestId"),
used as (
  select w.instance_id, w."tenantId" as tenant_id, w.license, u.budget,
    to_timestamp(u."periodStart" / 1000.0) as period_start, sum(u.used) as used
  from event v
  join entry w on w."tenantId" = v.tenant_id and w."requestId" = v.request_id and w.attempt = v.attempt
  cross join lateral json_to_recordset(w.uses) as u (budget text, "periodStart" bigint, used numeric)
  where v.requests = w.requests
  group by 1, 2, 3, 4, 5),
settled as (${settled} returning 1)
select (select count(*) from taken)::integer as batches, (select count(*) from entry)::integer as rows,
  (select count(*) from event)::integer as written, (select count(*) from used)::integer as uses,
  (select count(*) from settled)::integer as settled`

const fromBatches = (named: string): string =>
  unfold({
    taken: `delete from usage_batch b using ${named} returning b.instance_id, b.written_at, b.events, b.ended`,
    requests: 'requests',
    settled: `
      update budget_lease l set used = l.used + u.used from used u
      where l.instance_id = u.instance_id and l.tenant_id = u.tenant_id and l.license = u.license
        and l.budget = u.budget and l.period_start = u.period_start`,
  })

const someText = fromBatches(`unnest($2::smallint[], $3::bigint[]) as w (lane, batch)
  where b.instance_id = $1 and b.lane = w.lane and b.batch = w.batch`)
const allText = fromBatches('(select 1) as w where b.instance_id = $1')
const stragglersText = fromBatches(`(
    select instance_id, lane, batch from usage_batch where written_at < now() - interval '2 seconds'
    order by instance_id, lane, batch limit 200 for update skip locked) as w
  where b.instance_id = w.instance_id and b.lane = w.lane and b.batch = w.batch`)

/**
 * The rows of a batch whose instance was ended before it came. Its leases are gone, so its uses go to the accounts;
 * where the budget has been lent to others meanwhile, the account says that more was used than its limit, because more
 * was. A call that was ended as expired has its bound in the budgets already, and counts as a request there.
 */
const isExpired = `exists (
    select from usage_event x where x.tenant_id = "tenantId" and x.started_at = entry.started_at
      and x.request_id = "requestId" and x.outcome = 'expired')`
const lateText = unfold({
  taken: 'select $1::uuid as instance_id, now() as written_at, $2::json as events, $3::json as ended',
  requests: `case when ${isExpired} then 0 else requests end`,
  settled: `
    update budget_account a set settled = a.settled + u.used,
      grandfathered = greatest(a.grandfathered, a.settled + a.leased + u.used)
    from used u
    where a.tenant_id = u.tenant_id and a.license = u.license and a.budget = u.budget
      and a.period_start = u.period_start`,
})

/** All batches are of one instance. */
export function unfoldBatchesIn(database: Database): UnfoldBatches {
  return async (batches) => {
    const values = [batches[0]?.instanceId, batches.map(({ lane }) => lane), batches.map(({ number }) => number)]
    const [counts] = await systemStatement<Unfolded & Record<string, unknown>>(database, 'commit-usage', {
      name: 'ledger-unfold',
      text: someText,
      values,
    })
    return counts ?? { batches: 0, rows: 0, written: 0, uses: 0, settled: 0 }
  }
}

/**
 * Batches that nobody has unfolded for a while, whoever wrote them: whose process died, or which came to the database
 * after all when their rows were there already. @returns how many.
 */
export async function unfoldStragglers(tx: Tx): Promise<number> {
  const { rows } = await tx.executeQuery<Unfolded>(CompiledQuery.raw(stragglersText))
  return rows[0]?.batches ?? 0
}

/** Everything that an instance wrote and did not unfold. Its leases still stand. */
export async function unfoldAllOf(tx: Tx, instanceId: Uuid): Promise<void> {
  await tx.executeQuery(CompiledQuery.raw(allText, [instanceId]))
}

export function writeLateTo(database: Database): WriteLate {
  return async ({ instanceId, events, ended }) => {
    const values = [instanceId, events, ended]
    await systemStatement(database, 'commit-usage', { name: 'ledger-late', text: lateText, values })
  }
}
