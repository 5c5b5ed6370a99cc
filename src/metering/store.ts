import { assert, type Log } from '../kernel/index.ts'
import { systemStatement, type Database } from '../db/index.ts'
import type { LeaseUse } from '../quota/index.ts'
import type { Batch, WriteBatch, WriteOpen } from './batch.ts'

/**
 * The group commit in one statement. The mark decides: it moves the lane from the batch before to this one, once; all
 * else happens only where it did. A batch that is sent twice counts once, and a lane that was taken away writes nothing.
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
  select tenant_id, request_id, attempt, to_timestamp(started_ms / 1000.0), operation, streamed, outcome, host_status,
    first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model,
    version, deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision,
    currency, charge_picos, $1
  from unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::bigint[], $8::text[], $9::boolean[], $10::text[],
    $11::smallint[], $12::integer[], $13::integer[], $14::text[], $15::integer[], $16::text[], $17::text[],
    $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::smallint[],
    $26::bigint[], $27::bigint[], $28::bigint[], $29::text[], $30::text[], $31::integer[], $32::text[], $33::bigint[])
    as e (tenant_id, request_id, attempt, started_ms, operation, streamed, outcome, host_status, first_byte_ms,
      duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
      deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision,
      currency, charge_picos)
  where exists (select from mark)
  on conflict do nothing returning 1),
ended as (
  delete from reservation r using unnest($34::uuid[], $35::uuid[]) as e (tenant_id, request_id)
  where exists (select from mark) and r.tenant_id = e.tenant_id and r.request_id = e.request_id),
used as (
  update budget_lease l set used = l.used + u.used
  from unnest($36::uuid[], $37::text[], $38::text[], $39::bigint[], $40::numeric[])
    as u (tenant_id, license, budget, period_ms, used)
  where exists (select from mark) and l.instance_id = $1 and l.tenant_id = u.tenant_id and l.license = u.license
    and l.budget = u.budget and l.period_start = to_timestamp(u.period_ms / 1000.0)
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
  select tenant_id, request_id, $1, to_timestamp(started_ms / 1000.0), facts, holds
  from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::jsonb[], $6::jsonb[])
    as o (tenant_id, request_id, started_ms, facts, holds)
  where exists (select from alive)
  on conflict do nothing)
select 1 from quick`

export function writeOpenTo(database: Database): WriteOpen {
  return async (instanceId, calls) => {
    const values = [
      instanceId,
      calls.map((call) => call.facts.tenantId),
      calls.map((call) => call.facts.requestId),
      calls.map((call) => call.facts.startedAt),
      calls.map(({ facts, bound, deployment, region }) => JSON.stringify({ ...facts, ...bound, deployment, region })),
      calls.map((call) => JSON.stringify(call.holds)),
    ]
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

function valuesOf(batch: Batch, uses: readonly LeaseUse[]): unknown[] {
  const { events, ended } = batch
  return [
    batch.instanceId,
    batch.lane,
    batch.number,
    events.map((event) => event.tenantId),
    events.map((event) => event.requestId),
    events.map((event) => event.attempt),
    events.map((event) => event.startedAt),
    events.map((event) => event.operation),
    events.map((event) => event.streamed),
    events.map((event) => event.outcome),
    events.map((event) => event.hostStatus ?? null),
    events.map((event) => event.firstByteMs ?? null),
    events.map((event) => event.durationMs),
    events.map((event) => event.license),
    events.map((event) => event.licenseRevision),
    events.map((event) => event.facility),
    events.map((event) => event.application),
    events.map((event) => event.keyId),
    events.map((event) => event.audience),
    events.map((event) => event.purpose),
    events.map((event) => event.model),
    events.map((event) => event.version),
    events.map((event) => event.deployment),
    events.map((event) => event.region),
    events.map((event) => event.requests),
    events.map((event) => event.inputTokens),
    events.map((event) => event.outputTokens),
    events.map((event) => event.inferences),
    events.map((event) => event.usageSource),
    events.map((event) => event.plan),
    events.map((event) => event.planRevision),
    events.map((event) => event.currency),
    events.map((event) => event.charge),
    ended.map((call) => call.tenantId),
    ended.map((call) => call.requestId),
    uses.map(({ pocket }) => pocket.account.tenantId),
    uses.map(({ pocket }) => pocket.account.license),
    uses.map(({ pocket }) => pocket.account.budget),
    uses.map(({ pocket }) => pocket.account.periodStart),
    uses.map(({ used }) => used.toString()),
  ]
}
