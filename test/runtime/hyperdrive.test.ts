import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestHarness, type TestHarness } from 'wrangler'
import { startModelHost, type ModelHost } from '../../infra/model-host/model-host.ts'
import {
  openDatabase,
  systemStatement,
  systemTransaction,
  tenantTransaction,
  type Database,
} from '../../src/db/index.ts'
import { declareTree, mintKey, openTestDatabase } from '../support/house.ts'
import { readLedger, until } from '../support/ledger.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { workerTexts } from './runtimes.ts'

/** Hyperdrive itself cannot run here: its binding does, in wrangler's test server, and its rules, by what is not said. */
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

describe('behind a pooler in transaction mode', () => {
  let pooled: Database
  beforeAll(() => {
    pooled = openDatabase({
      url: databases.appUrl,
      applicationName: 'pooled',
      tenantConnectionsMax: 1,
      systemConnectionsMax: 1,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 5_000,
      isBehindPooler: true,
    })
  })
  afterAll(() => pooled?.close())

  const scope = { name: 'scope', text: `select current_setting('app.system', true) as scope`, values: [] }

  test('a system statement has its scope, and the connection has none before or after', async () => {
    const ofConnection = async () =>
      (await pooled.systemPool.query<{ scope: string | null }>(scope.text)).rows[0]?.scope
    expect(await ofConnection()).toBeNull()
    expect(await systemStatement(pooled, 'maintain', scope)).toEqual([{ scope: 'on' }])
    expect(await ofConnection()).toBe('')
  })

  test('a statement that fails leaves no open transaction behind', async () => {
    const failing = { name: 'fails', text: 'select 1 / $1::integer as never', values: [0] }
    await expect(systemStatement(pooled, 'maintain', failing)).rejects.toThrow('division by zero')
    expect(await systemStatement(pooled, 'maintain', scope)).toEqual([{ scope: 'on' }])
  })

  test('a tenant sees its own rows, and the next transaction none of them', async () => {
    await declareTree(database, 'http://model-host.test')
    const tenants = await systemTransaction(pooled, 'maintain', (tx) =>
      tx.selectFrom('tenant').select('tenant_id').where('tenant', 'in', ['lakeside', 'prairie']).execute(),
    )
    expect(tenants).toHaveLength(2)
    for (const { tenant_id } of tenants) {
      const facilities = await tenantTransaction(pooled, tenant_id, (tx) =>
        tx.selectFrom('facility').select('tenant_id').execute(),
      )
      expect(new Set(facilities.map((facility) => facility.tenant_id))).toEqual(new Set([tenant_id]))
    }
    await expect(pooled.tenantPool.query('select from facility')).rejects.toThrow('invalid input syntax for type uuid')
  })

  test('a connection says nothing at its start that a pooler would refuse', async () => {
    const { rows } = await pooled.systemPool.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where source = 'client' order by name`,
    )
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(['application_name', 'client_encoding']))
    expect(rows.filter(({ name }) => /timeout|^app\.|^role$/.test(name))).toEqual([])
  })
})

describe('the Worker of wrangler.toml, as wrangler serves it', () => {
  let host: ModelHost
  let harness: TestHarness
  beforeAll(async () => {
    host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
    await declareTree(database, host.url)
    // Where the binding leads is read from here, and from nowhere else.
    process.env['CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE'] = databases.appUrl
    harness = createTestHarness({
      workers: [{ configPath: new URL('../../wrangler.toml', import.meta.url), secrets: workerTexts }],
    })
    await harness.listen()
  })
  afterAll(async () => {
    await harness?.close()
    await host?.stop()
  })

  test('answers a call over its Hyperdrive, and holds nothing afterwards', async () => {
    const response = await harness.fetch('/v1/chat/completions', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintKey(database, 'lakeside/ehr')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ model: 'scribe', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    })
    expect(response.status).toBe(200)
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/)
    expect(await readLedger(database)).toMatchObject([{ outcome: 'answered', usageSource: 'host' }])
    await until('nothing is held', 5_000, async () => (await readInstances()).length === 0)
  })

  test('sweeps, each time its cron comes, what dead calls held', async () => {
    await systemTransaction(database, 'maintain', (tx) =>
      tx
        .insertInto('instance')
        .values({ instance_id: crypto.randomUUID(), platform: 'workers', alive_until: new Date(0) })
        .execute(),
    )
    const ended = await harness.getWorker().scheduled({ cron: '* * * * *', scheduledTime: new Date() })
    expect(ended.outcome).toBe('ok')
    expect(await readInstances()).toEqual([])
    expect(harness.getLogs().filter(({ level }) => level === 'error')).toEqual([])
  })

  const readInstances = () =>
    systemTransaction(database, 'maintain', (tx) => tx.selectFrom('instance').select('instance_id').execute())
})
