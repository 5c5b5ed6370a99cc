import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { reportUsage } from '../../src/metering/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'

const monthStart = Date.UTC(2026, 10, 1)
const daysMax = 3
const hourMs = 3_600_000

let databases: TestDatabase
let database: Database
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await database.systemPool.query(
    `insert into tenant (tenant_id, tenant, name, kind) values ($1, 'lakeside', 'Lakeside', 'hospital'),
       ($2, 'prairie', 'Prairie', 'hospital')`,
    tenantIds,
  )
  for (let batch = 0; batch < 40; batch++) await insertRows(batch)
})
afterAll(async () => {
  await database.close()
  await databases.drop()
})

const tenantIds = [randomUUID(), randomUUID()]

/** Some rows in one statement, as a batch brings them, in the first days of a month. */
async function insertRows(batch: number): Promise<void> {
  const random = seeded(batch)
  const rows = Array.from({ length: 1 + Math.floor(random() * 60) }, () => ({
    tenant_id: tenantIds[Math.floor(random() * 2)],
    request_id: randomUUID(),
    started_at: new Date(monthStart + Math.floor(random() * daysMax * 24) * hourMs + edgeOf(random)).toISOString(),
    application: ['ehr', 'portal'][Math.floor(random() * 2)],
    tokens: Math.floor(random() * 10_000),
    charge: Math.floor(random() * 1e15),
  }))
  await database.systemPool.query(
    `insert into usage_event (tenant_id, request_id, attempt, started_at, operation, streamed, outcome, duration_ms,
       license, license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region,
       requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos,
       instance_id)
     select tenant_id, request_id, 1, started_at, 'chat', false, 'answered', 5, 'LIC-1', 1, 'general', application, 'key',
       'clinician', 'TREAT', 'scribe', '1.0.0', 'east', 'us-east', 1, tokens, tokens / 2, 0, 'host', 'standard', 1, 'USD',
       charge, tenant_id
     from json_to_recordset($1) as r (tenant_id uuid, request_id uuid, started_at timestamptz, application text,
       tokens bigint, charge bigint)`,
    [JSON.stringify(rows)],
  )
}

/** A time within an hour; often its very first or last moment. */
const edgeOf = (random: () => number): number =>
  [0, hourMs - 1, Math.floor(random() * hourMs)][Math.floor(random() * 3)] ?? 0

test.for([
  ['hour', 'usage_hour', `date_trunc('hour', started_at, 'UTC')`],
  ['day', 'usage_day', `(started_at at time zone 'UTC')::date`],
] as const)('by %s, the sums are those of the rows', async ([column, table, of]) => {
  const { rows } = await database.systemPool.query<{ wrong: string; sums: string }>(`
    with added as (
      select tenant_id, ${of} as ${column}, application, sum(requests) as requests,
        sum(input_tokens) as input, sum(output_tokens) as output, sum(charge_picos) as charge
      from usage_event group by 1, 2, 3)
    select count(*) as sums, count(*) filter (where h.requests is distinct from a.requests
        or h.input_tokens is distinct from a.input or h.output_tokens is distinct from a.output
        or h.charge_picos is distinct from a.charge) as wrong
    from added a full join ${table} h using (tenant_id, ${column}, application)`)
  expect(Number(rows[0]?.sums)).toBeGreaterThan(column === 'hour' ? 100 : 10)
  expect(Number(rows[0]?.wrong)).toBe(0)
})

test('a report of any period is the sum of its rows, whatever part of an hour it begins and ends in', async () => {
  const random = seeded(7)
  for (let round = 0; round < 150; round++) {
    const times = [momentOf(random), momentOf(random)].toSorted((a, b) => a - b)
    const [from = 0, to = 0] = times
    const period = { from: instant(from), to: instant(to === from ? to + 1 : to), tenant: undefined }
    const totals = await systemTransaction(database, 'administer', (tx) => reportUsage(tx, period))
    const { rows } = await database.systemPool.query<{ calls: bigint; charge: string }>(
      `select count(*) as calls, coalesce(sum(charge_picos), 0)::text as charge from usage_event
       where started_at >= $1 and started_at < $2`,
      [new Date(period.from), new Date(period.to)],
    )
    expect(totals.reduce((sum, { calls }) => sum + calls, 0n)).toBe(rows[0]?.calls)
    expect(totals.reduce((sum, { charge }) => sum + charge, 0n)).toBe(BigInt(rows[0]?.charge ?? 0))
  }
})

const momentOf = (random: () => number): number =>
  monthStart + Math.floor(random() * daysMax * 24) * hourMs + edgeOf(random)
