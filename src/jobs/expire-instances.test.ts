import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemTransaction, type Database } from '../db/index.ts'
import { openTestDatabase } from '../../test/support/house.ts'
import { cloneDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import { expireInstancesJob } from './expire-instances.ts'

let databases: TestDatabase
let database: Database
let unreachable: Database
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  const nowhere = new URL(databases.appUrl)
  nowhere.port = '1'
  unreachable = openTestDatabase(nowhere.href)
})
afterAll(async () => {
  await database?.close()
  await unreachable?.close()
  await databases?.drop()
})

const log = { info() {}, warn() {}, error() {} }
const silent = '018f0000-0000-7000-8000-000000000009'
let nowMs = 0
const jobWith = (isRunOnce: boolean) =>
  expireInstancesJob({ leaseSeconds: 20, clock: { monotonicMs: () => nowMs }, isRunOnce })

/** Whether the silent instance is still registered after a run, so many seconds after the one before. */
async function standsAfter(job: ReturnType<typeof jobWith>, seconds: number): Promise<boolean> {
  nowMs += seconds * 1000
  await job.run({ database, log })
  return systemTransaction(database, 'sweep-instances', async (tx) => {
    const { rows } = await sql`select 1 from instance where instance_id = ${silent}`.execute(tx)
    return rows.length === 1
  })
}

beforeEach(async () => {
  await systemTransaction(database, 'lend-budget', (tx) =>
    sql`insert into instance (instance_id, platform, alive_until) values (${silent}, 'node', now() - interval '1 second')
        on conflict do nothing`.execute(tx),
  )
})

test('the silent are ended when the database has been heard for a while, not before', async () => {
  const job = jobWith(false)
  expect(await standsAfter(job, 0)).toBe(true)
  expect(await standsAfter(job, 5)).toBe(true)
  expect(await standsAfter(job, 5)).toBe(false)
})

test('after an outage the living have time to give their sign of life', async () => {
  const job = jobWith(false)
  for (const seconds of [0, 5, 5]) await standsAfter(job, seconds)
  nowMs += 5_000
  await expect(job.run({ database: unreachable, log })).rejects.toThrow()
  await systemTransaction(database, 'lend-budget', (tx) =>
    sql`insert into instance (instance_id, platform, alive_until) values (${silent}, 'node', now() - interval '1 second')`.execute(
      tx,
    ),
  )
  expect(await standsAfter(job, 10)).toBe(true)
  expect(await standsAfter(job, 5)).toBe(true)
  expect(await standsAfter(job, 5)).toBe(false)
})

test('where a job runs once, it ends the silent at once', async () => {
  expect(await standsAfter(jobWith(true), 0)).toBe(false)
})
