import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { cloneDatabase } from '../../../test/support/postgres.ts'
import { ensureDatabase, type DatabaseUrls } from './ensure-database.ts'
import { startPostgres, type EmbeddedPostgres } from './postgres.ts'

// Roles belong to the whole server: what happens to them here must not happen to the other test files.
const dataDir = mkdtempSync(join(tmpdir(), 'formulary-ensure-'))
const database = 'an "odd" name'
const passwords = { ownerPassword: 'p@ss/word?#', appPassword: "it's % secret" }
let postgres: EmbeddedPostgres
let urls: DatabaseUrls

beforeAll(async () => {
  postgres = await startPostgres({ dataDir, durable: false })
  urls = await ensureDatabase({ adminUrl: postgres.url, database, ...passwords })
})
afterAll(async () => {
  await postgres.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('the two roles', () => {
  test('the owner makes tables, the app role makes nothing', async () => {
    await query(urls.ownerUrl, 'create table made_by_owner (id int)')
    for (const statement of ['create table t (id int)', 'create temporary table t (id int)', 'create schema s'])
      await expect(query(urls.appUrl, statement)).rejects.toThrow(/permission denied/)
  })

  test('neither is a superuser or may bypass row-level security', async () => {
    for (const url of [urls.ownerUrl, urls.appUrl]) expect(await isStrong(url)).toBe(false)
  })

  test('a stranger with a login cannot connect', async () => {
    await query(postgres.url, "create role stranger login password 'stranger'")
    const url = new URL(urls.appUrl)
    url.username = 'stranger'
    url.password = 'stranger'
    await expect(query(url.href, 'select 1')).rejects.toThrow(/permission denied for database/)
  })
})

describe('doing it again', () => {
  test('keeps the tables', async () => {
    await query(urls.ownerUrl, 'create table kept as select 1 as one')
    await ensureDatabase({ adminUrl: postgres.url, database, ...passwords })
    expect(await query(urls.ownerUrl, 'select one from kept')).toEqual([{ one: 1 }])
  })

  test('takes back what somebody granted', async () => {
    await query(postgres.url, `grant create on database ${pg.escapeIdentifier(database)} to formulary_app`)
    await query(postgres.url, 'alter role formulary_app bypassrls')
    await ensureDatabase({ adminUrl: postgres.url, database, ...passwords })
    await expect(query(urls.appUrl, 'create schema s')).rejects.toThrow(/permission denied/)
    expect(await isStrong(urls.appUrl)).toBe(false)
  })

  test('sets new passwords, and the old ones open nothing', async () => {
    const changed = await ensureDatabase({
      adminUrl: postgres.url,
      database,
      ownerPassword: 'new owner',
      appPassword: 'new app',
    })
    expect(await query(changed.appUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    await expect(query(urls.appUrl, 'select 1')).rejects.toThrow(/password authentication failed/)
    urls = await ensureDatabase({ adminUrl: postgres.url, database, ...passwords })
  })

  test('from two processes at once is doing it once', async () => {
    const twice = [1, 2].map(() => ensureDatabase({ adminUrl: postgres.url, database: 'twice', ...passwords }))
    const [first, second] = await Promise.all(twice)
    expect(second).toEqual(first)
  })
})

test('copies of the template are migrated, restricted and separate, also when made at the same moment', async () => {
  const copies = await Promise.all(Array.from({ length: 4 }, () => cloneDatabase()))
  for (const copy of copies) {
    expect(await query(copy.ownerUrl, 'select name from schema_migration')).not.toEqual([])
    await expect(query(copy.appUrl, 'create table t (id int)')).rejects.toThrow(/permission denied/)
    await query(copy.ownerUrl, 'create table only_here (id int)')
  }
  await Promise.all(copies.map((copy) => copy.drop()))
  for (const copy of copies) await expect(query(copy.ownerUrl, 'select 1')).rejects.toThrow(/does not exist/)
  expect(await query(inject('postgresAdminUrl'), 'select 1 as alive')).toEqual([{ alive: 1 }])
})

async function isStrong(url: string): Promise<unknown> {
  const rows = await query<{ strong: boolean }>(
    url,
    `select rolsuper or rolbypassrls or rolcreatedb or rolcreaterole as strong
     from pg_roles where rolname = current_user`,
  )
  return rows[0]?.strong
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}
