import { assert, type Log } from '../kernel/index.ts'
import { systemStatement, type Database } from '../db/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { Batch, WriteBatch, WriteOpen } from './batch.ts'

/**
 * The group commit in one statement. The mark decides: it moves the lane from the batch before to this one, once; all
 * else happens only where it did. A batch that is sent twice counts once, and a lane that was taken away writes nothing.
 * Rows come as JSON: one parameter costs both sides less than thirty arrays.
 */
const commitText = `
with mark as (
  update instance_lane set last_batch = $3 where instance_id = $1 and lane = $2 and last_batch = $3::bigint - 1
  returning 1),
event as (
  insert into usage_event (
    tenant_id, request_id, attempt, started_at, operation, streamed, outcome, host_status, first_byte_ms, duration_ms,
    license, license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region,
    requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos,
    instance_id)
  select "tenantId", "requestId", attempt, to_timestamp("startedAt" / 1000.0), operation, streamed, outcome,
    "hostStatus", "firstByteMs", "durationMs", license, "licenseRevision", facility, application, "keyId", audience,
    purpose, model, version, deployment, region, requests, "inputTokens", "outputTokens", inferences, "usageSource",
    plan, "planRevision", currency, charge, $1
  from json_to_recordset($4::json) as e (
    "tenantId" uuid, "requestId" uuid, attempt smallint, "startedAt" bigint, operation text, streamed boolean,
    outcome text, "hostStatus" smallint, "firstByteMs" integer, "durationMs" integer, license text,
    "licenseRevision" integer, facility text, application text, "keyId" text, audience text, purpose text, model text,
    version text, deployment text, region text, requests smallint, "inputTokens" bigint, "outputTokens" bigint,
    inferences bigint, "usageSource" text, plan text, "planRevision" integer, currency text, charge bigint)
  where exists (select from mark)
  on conflict do nothing returning 1),
ended as (
  delete from reservation r using json_to_recordset($5::json) as e ("tenantId" uuid, "requestId" uuid)
  where exists (select from mark) and r.tenant_id = e."tenantId" and r.request_id = e."requestId"),
used as (
  update budget_lease l set used = l.used + u.used
  from json_to_recordset($6::json)
    as u ("tenantId" uuid, license text, budget text, "periodStart" bigint, used numeric)
  where exists (select from mark) and l.instance_id = $1 and l.tenant_id = u."tenantId" and l.license = u.license
    and l.budget = u.budget and l.period_start = to_timestamp(u."periodStart" / 1000.0)
  returning 1)
select (select count(*) from mark)::integer as marked, (select count(*) from event)::integer as events,
  (select count(*) from used)::integer as used,
  (select last_batch from instance_lane where instance_id = $1 and lane = $2) as last_batch`

/**
 * Notes calls in flight. The lock on the instance meets the one of whoever takes it for dead: after that, no note of it is
 * written any more. The commit does not wait for the disk: should the database fall with this process, the note is lost,
 * and with it only what nobody received.
 */
const openText = `
with quick as (select set_config('synchronous_commit', 'off', true)),
alive as (select 1 from instance where instance_id = $1 for key share),
opened as (
  insert into reservation (tenant_id, request_id, instance_id, started_at, facts, holds)
  select (facts ->> 'tenantId')::uuid, (facts ->> 'requestId')::uuid, $1,
    to_timestamp((facts ->> 'startedAt')::bigint / 1000.0), facts, holds
  from json_to_recordset($2::json) as o (facts jsonb, holds jsonb)
  where exists (select from alive)
  on conflict do nothing)
select 1 from quick`

export function writeOpenTo(database: Database): WriteOpen {
  return async (instanceId, calls) => {
    const notes = calls.map(({ facts, bound, deployment, region, holds }) => ({
      facts: { ...facts, ...bound, deployment, region },
      holds,
    }))
    const values = [instanceId, JSON.stringify(notes)]
    await systemStatement(database, 'commit-usage', { name: 'ledger-open', text: openText, values })
  }
}

export function writeBatchTo(database: Database, log: Log): WriteBatch {
  return async (batch) => {
    const uses = summed(batch.uses)
    const [row] = await systemStatement<{ marked: number; events: number; used: number; last_batch: bigint | null }>(
      database,
      'commit-usage',
      { name: 'ledger-commit', text: commitText, values: valuesOf(batch, uses) },
    )
    assert(row !== undefined, 'the commit statement always returns one row')
    if (row.marked === 0) {
      if (row.last_batch === null) return 'fenced'
      assert(row.last_batch === BigInt(batch.number), 'a lane numbers its batches without a gap')
      return 'repeated'
    }
    // Neither can happen while the instance holds its lanes; if it ever does, it must not stay silent.
    if (row.events !== batch.events.length)
      log.error('ledger.duplicate_row', { sent: batch.events.length, written: row.events })
    if (row.used !== uses.length) log.error('ledger.lease_missing', { sent: uses.length, written: row.used })
    return 'written'
  }
}

/** One row per lease, in the order of the keys, so that two writers lock in the same order. */
function summed(uses: readonly LeaseUse[]): readonly LeaseUse[] {
  const sums = new Map<LeaseUse['pocket'], bigint>()
  for (const { pocket, used } of uses) if (used > 0n) sums.set(pocket, (sums.get(pocket) ?? 0n) + used)
  return [...sums]
    .map(([pocket, used]) => ({ pocket, used }))
    .toSorted((a, b) => (a.pocket.account.id < b.pocket.account.id ? -1 : 1))
}

function valuesOf({ instanceId, lane, number, events, ended }: Batch, uses: readonly LeaseUse[]): unknown[] {
  return [
    instanceId,
    lane,
    number,
    JSON.stringify(events.map((event) => ({ ...event, charge: event.charge.toString() }))),
    JSON.stringify(ended),
    JSON.stringify(
      uses.map(({ pocket: { account }, used }) => ({
        tenantId: account.tenantId,
        license: account.license,
        budget: account.budget,
        periodStart: account.periodStart,
        used: used.toString(),
      })),
    ),
  ]
}
