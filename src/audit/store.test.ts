import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemTransaction, tenantTransaction, type Database } from '../db/index.ts'
import { instant } from '../kernel/index.ts'
import { openTestDatabase } from '../../test/support/house.ts'
import { cloneDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import {
  appendAuditEntries,
  appendAuditEntry,
  canonicalEntry,
  houseId,
  loadAuditEntries,
  type AuditEntry,
} from './index.ts'

let databases: TestDatabase
let database: Database
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
})
afterAll(async () => {
  await database?.close()
  await databases?.drop()
})

const lakeside = '018f0000-0000-7000-8000-000000000001'
const prairie = '018f0000-0000-7000-8000-000000000002'
const day = { from: instant(Date.now() - 3_600_000), to: instant(Date.now() + 3_600_000) }

const suspended = (tenantId: string | undefined, license: string): AuditEntry => ({
  tenantId,
  at: instant(1_700_000_000_000),
  action: 'license.suspend',
  agent: { kind: 'person', name: 'nora@clinic.example', roles: ['licensing'] },
  entity: { type: 'license', id: license, revision: '3' },
  outcome: 'done',
  reason: 'invoices unpaid',
  facts: { until: '2026-12-01T00:00:00.000Z', models: ['scribe'] },
})

test('an entry reads as it was written, and a page goes on where the last one ended', async () => {
  const written = ['a', 'b', 'c', 'd', 'e'].map((name) => suspended(lakeside, `LIC-${name}`))
  for (const entry of written) await systemTransaction(database, 'administer', (tx) => appendAuditEntry(tx, entry))
  const read: AuditEntry[] = []
  let after: { recordedAt: (typeof day)['from']; entryId: string } | undefined
  for (let page = 0; page < 5; page++) {
    const rows = await systemTransaction(database, 'administer', (tx) =>
      loadAuditEntries(tx, { tenantId: lakeside, ...day, after, limit: 2 }),
    )
    read.push(...rows)
    after = rows.at(-1) ?? after
  }
  expect(read).toMatchObject(written)
  expect(new Set(read.map((entry) => entry.entity.id)).size).toBe(5)
})

test('ten thousand entries are written at once, more than one statement takes', async () => {
  const tenant = '018f0000-0000-7000-8000-000000000003'
  const entries = Array.from({ length: 10_000 }, (_, index) => suspended(tenant, `LIC-${index}`))
  await systemTransaction(database, 'administer', (tx) => appendAuditEntries(tx, entries))
  const { rows } = await database.systemPool.query<{ count: string }>(
    'select count(*) from audit_entry where tenant_id = $1',
    [tenant],
  )
  expect(Number(rows[0]?.count)).toBe(10_000)
})

test('a tenant reads its own entries only, and none of the house', async () => {
  await systemTransaction(database, 'administer', async (tx) => {
    await appendAuditEntry(tx, suspended(prairie, 'LIC-P'))
    await appendAuditEntry(tx, suspended(undefined, 'a model'))
  })
  const seen = await tenantTransaction(database, prairie, (tx) =>
    loadAuditEntries(tx, { tenantId: undefined, ...day, limit: 100 }),
  )
  expect(seen.map(({ entity }) => entity.id)).toEqual(['LIC-P'])
  await expect(
    tenantTransaction(database, prairie, (tx) => appendAuditEntry(tx, suspended(lakeside, 'forged'))),
  ).rejects.toThrow('row-level security')
})

test('nothing that was written can be changed or removed', async () => {
  for (const statement of [
    `update audit_entry set reason = 'nothing'`,
    'delete from audit_entry',
    'truncate audit_entry',
  ])
    await expect(
      systemTransaction(database, 'administer', (tx) => sql.raw(statement).execute(tx)),
      statement,
    ).rejects.toThrow('permission denied')
})

test('the canonical text of an entry changes with every word of it', () => {
  const entry = { ...suspended(lakeside, 'LIC-1'), entryId: houseId, recordedAt: instant(1_700_000_000_001) }
  const others = [
    { ...entry, tenantId: undefined },
    { ...entry, reason: undefined },
    { ...entry, outcome: 'refused' as const },
    { ...entry, agent: { ...entry.agent, name: 'else' } },
    { ...entry, entity: { ...entry.entity, revision: '4' } },
    { ...entry, facts: { ...entry.facts, models: ['scribe', 'other'] } },
  ]
  expect(new Set([entry, ...others].map(canonicalEntry)).size).toBe(7)
  expect(canonicalEntry(entry)).toBe(
    '{"action":"license.suspend","agent":{"kind":"person","name":"nora@clinic.example","roles":["licensing"]},' +
      '"approvedBy":null,"at":"2023-11-14T22:13:20.000Z","entity":{"id":"LIC-1","revision":"3","type":"license"},' +
      '"facts":{"models":["scribe"],"until":"2026-12-01T00:00:00.000Z"},"id":"00000000-0000-0000-0000-000000000000",' +
      '"outcome":"done","purpose":null,"reason":"invoices unpaid","recorded":"2023-11-14T22:13:20.001Z",' +
      '"tenant":"018f0000-0000-7000-8000-000000000001"}',
  )
})
