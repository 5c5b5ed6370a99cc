import { CompiledQuery } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import { systemStatement, type Database, type Tx } from '../db/index.ts'
import type { Unfolded, UnfoldBatches } from './batch.ts'

/**
 * Batches become rows of the ledger. What a row takes out of a lease is taken where the row is written, in the same
 * statement and only then: however often a batch comes, it counts once. `named` says which batches.
 */
const unfold = (named: string): string => `
with taken as (
  delete from usage_batch b using ${named}
  returning b.instance_id, b.written_at, b.events, b.ended),
row as materialized (
  select t.instance_id, t.written_at, to_timestamp(e."startedAt" / 1000.0) as started_at, e.*
  from taken t cross join lateral json_to_recordset(t.events) as e (
    "tenantId" uuid, "requestId" uuid, attempt smallint, "startedAt" bigint, operation text, streamed boolean,
    outcome text, "hostStatus" smallint, "firstByteMs" integer, "durationMs" integer, license text,
    "licenseRevision" integer, facility text, application text, "keyId" text, audience text, purpose text, model text,
    version text, deployment text, region text, requests smallint, "inputTokens" bigint, "outputTokens" bigint,
    inferences bigint, "usageSource" text, plan text, "planRevision" integer, currency text, charge bigint,
    uses json)),
event as (
  insert into usage_event (
    tenant_id, request_id, attempt, started_at, settled_at, operation, streamed, outcome, host_status, first_byte_ms,
    duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
    deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency,
    charge_picos, instance_id)
  select "tenantId", "requestId", attempt, started_at, written_at, operation, streamed, outcome, "hostStatus",
    "firstByteMs", "durationMs", license, "licenseRevision", facility, application, "keyId", audience, purpose, model,
    version, deployment, region, requests, "inputTokens", "outputTokens", inferences, "usageSource", plan,
    "planRevision", currency, charge, instance_id
  from row
  on conflict do nothing
  returning tenant_id, request_id, attempt),
ended as (
  delete from reservation r
  using taken t cross join lateral json_to_recordset(t.ended) as e ("tenantId" uuid, "requestId" uuid)
  where r.tenant_id = e."tenantId" and r.request_id = e."requestId"),
used as (
  select w.instance_id, w."tenantId" as tenant_id, w.license, u.budget,
    to_timestamp(u."periodStart" / 1000.0) as period_start, sum(u.used) as used
  from event v
  join row w on w."tenantId" = v.tenant_id and w."requestId" = v.request_id and w.attempt = v.attempt
  cross join lateral json_to_recordset(w.uses) as u (budget text, "periodStart" bigint, used numeric)
  group by 1, 2, 3, 4, 5),
settled as (
  update budget_lease l set used = l.used + u.used from used u
  where l.instance_id = u.instance_id and l.tenant_id = u.tenant_id and l.license = u.license
    and l.budget = u.budget and l.period_start = u.period_start
  returning 1)
select (select count(*) from taken)::integer as batches, (select count(*) from row)::integer as rows,
  (select count(*) from event)::integer as written, (select count(*) from used)::integer as uses,
  (select count(*) from settled)::integer as settled`

const someText = unfold(`unnest($2::smallint[], $3::bigint[]) as w (lane, batch)
  where b.instance_id = $1 and b.lane = w.lane and b.batch = w.batch`)
const allText = unfold(`(select 1) as w where b.instance_id = $1`)

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

/** Everything that an instance wrote and did not unfold. Its leases still stand. */
export async function unfoldAllOf(tx: Tx, instanceId: Uuid): Promise<void> {
  await tx.executeQuery(CompiledQuery.raw(allText, [instanceId]))
}
