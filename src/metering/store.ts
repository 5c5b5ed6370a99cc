import { systemStatement, violatedConstraint, type Database } from '../db/index.ts'
import type { SetAside, WriteBatch, WriteOpen } from './batch.ts'

/** The group commit: one row. The foreign key on the instance is the fence, the primary key knows a batch sent twice. */
const writeText = `
insert into usage_batch (instance_id, lane, batch, events, ended) values ($1, $2, $3, $4, $5)
on conflict do nothing returning 1`

export function writeBatchTo(database: Database): WriteBatch {
  return async ({ instanceId, lane, number, events, ended }) => {
    const values = [instanceId, lane, number, events, ended]
    try {
      const rows = await systemStatement(database, 'commit-usage', { name: 'ledger-write', text: writeText, values })
      return rows.length === 1 ? 'written' : 'repeated'
    } catch (error) {
      if (violatedConstraint(error) === 'usage_batch_instance_is_alive') return 'fenced'
      throw error
    }
  }
}

/** A batch that the ledger refuses is kept apart, whole, with the reason. */
const setAsideText = `
with taken as (
  delete from usage_batch where instance_id = $1 and lane = $2 and batch = $3
  returning instance_id, lane, batch, events, ended)
insert into usage_batch_refused (instance_id, lane, batch, events, ended, why)
select instance_id, lane, batch, events, ended, $4 from taken on conflict do nothing`

export function setAsideIn(database: Database): SetAside {
  return async ({ instanceId, lane, number }, why) => {
    const values = [instanceId, lane, number, why]
    await systemStatement(database, 'commit-usage', { name: 'ledger-set-aside', text: setAsideText, values })
  }
}

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
