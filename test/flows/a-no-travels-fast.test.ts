import { sql } from 'kysely'
import { Agent } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startModelHost, type ModelHost } from '../../infra/model-host/model-host.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { parseApiKey, revokeKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { actOnLicense } from '../../src/licensing/index.ts'
import { declareTree, mintKey, openTestDatabase, tester } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { callChat } from '../support/model-call.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { spawnGateway, type GatewayProcess } from '../support/processes.ts'

let host: ModelHost
let databases: TestDatabase
let database: Database
let agent: Agent
let gateways: readonly GatewayProcess[]

beforeAll(async () => {
  host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0, chunks: 2 } })
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareTree(database, host.url)
  gateways = await Promise.all(Array.from({ length: 4 }, () => spawnGateway({ databaseUrl: databases.appUrl })))
  agent = new Agent({ connections: 16 })
}, 60_000)

afterAll(async () => {
  await agent.destroy()
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await host.stop()
  await database.close()
  await databases.drop()
})

/** Calls every process again and again; after `act`, how long until the last call was accepted, over all of them. */
async function lastAcceptedAfter(key: string, act: () => Promise<void>, refusedWith: string): Promise<number> {
  let isOver = false
  let actedAt = Number.POSITIVE_INFINITY
  let lastAccepted = 0
  const refusing = new Set<string>()
  const load = gateways.flatMap((gateway) =>
    [0, 1].map(async () => {
      while (!isOver) {
        const startedAt = performance.now()
        const { status, code } = await callChat(agent, gateway.url, { key, stream: false })
        if (status === 200 && startedAt > actedAt) lastAccepted = Math.max(lastAccepted, startedAt - actedAt)
        if (code === refusedWith) refusing.add(gateway.url)
      }
    }),
  )
  const answered = async () => (await callChat(agent, gateways[0]?.url ?? '', { key, stream: false })).status === 200
  await until('calls are answered', 5_000, answered)
  await act()
  actedAt = performance.now()
  try {
    await until('every process refuses', 5_000, () => refusing.size === gateways.length)
  } finally {
    isOver = true
    await Promise.all(load)
  }
  return lastAccepted
}

test('a revoked key is refused by four processes within a second', async () => {
  const key = await mintKey(database, 'lakeside/ehr')
  const keyId = parseApiKey(key)?.keyId ?? ''
  const took = await lastAcceptedAfter(
    key,
    async () => {
      const wish = { keyId, reason: 'lost', now: instant(Date.now()) }
      await systemTransaction(database, 'administer', (tx) => revokeKey(tx, wish))
    },
    'invalid_api_key',
  )
  console.log(`revoked key: last accepted ${took.toFixed(0)} ms after the act`)
  expect(took).toBeLessThan(1_000)
})

test('without any notification, the poll still brings the no within a second', async () => {
  const key = await mintKey(database, 'lakeside/ehr')
  const keyId = parseApiKey(key)?.keyId ?? ''
  const took = await lastAcceptedAfter(
    key,
    () =>
      systemTransaction(database, 'administer', async (tx) => {
        const wish = { keyId, reason: 'lost', now: instant(Date.now()) }
        await revokeKey(tx, wish)
        // Whoever listens is cut off before the commit sends anything.
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'formulary-listen'`.execute(tx)
      }),
    'invalid_api_key',
  )
  console.log(`revoked key, listeners cut off: last accepted ${took.toFixed(0)} ms after the act`)
  expect(took).toBeLessThan(1_000)
})

test.each([
  ['the owner', 'policies/licensed-use.cedar'],
  ['the tenant itself', 'lakeside/policy.cedar'],
])('what a policy of %s forbids is refused by four processes within a second', async (who, file) => {
  const key = await mintKey(database, 'lakeside/ehr')
  const forbid = `@id("not-now") @reason("Not now.") forbid (principal == Application::"lakeside/ehr", action, resource);`
  const took = await lastAcceptedAfter(
    key,
    () => declareTree(database, host.url, { [file]: (text) => `${text}\n${forbid}` }),
    'policy_denied',
  )
  console.log(`policy of ${who}: last accepted ${took.toFixed(0)} ms after the act`)
  expect(took).toBeLessThan(1_000)
  // And what is permitted again is answered again.
  await declareTree(database, host.url)
  await until('every process answers', 5_000, async () => {
    const outcomes = await Promise.all(gateways.map((gateway) => callChat(agent, gateway.url, { key, stream: false })))
    return outcomes.every(({ status }) => status === 200)
  })
})

test('a suspended license is refused by four processes within a second', async () => {
  const key = await mintKey(database, 'prairie/trial')
  const took = await lastAcceptedAfter(
    key,
    async () => {
      await systemTransaction(database, 'administer', (tx) =>
        actOnLicense(tx, {
          license: 'LIC-PRAIRIE',
          act: 'suspend',
          reason: 'payment',
          until: undefined,
          actor: tester,
          now: instant(Date.now()),
        }),
      )
    },
    'license_suspended',
  )
  console.log(`suspended license: last accepted ${took.toFixed(0)} ms after the act`)
  expect(took).toBeLessThan(1_000)
})

test('a key works on every process at once after it was made', async () => {
  const key = await mintKey(database, 'lakeside/ehr')
  const outcomes = await Promise.all(gateways.map((gateway) => callChat(agent, gateway.url, { key, stream: false })))
  expect(outcomes.map(({ status }) => status)).toEqual([200, 200, 200, 200])
})
