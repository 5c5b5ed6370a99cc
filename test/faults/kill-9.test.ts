import { Agent } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startModelHost, type ModelHost } from '../../infra/model-host/model-host.ts'
import type { Database } from '../../src/db/index.ts'
import { declareTree, mintKey, openTestDatabase } from '../support/house.ts'
import { countOpenCalls, readBudget, readLedger, until } from '../support/ledger.ts'
import { callChat, type CallOutcome } from '../support/model-call.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { spawnGateway, type GatewayProcess } from '../support/processes.ts'
import { seeded } from '../support/seeded.ts'

/** A suite that everybody runs kills a few times; KILLS=200 kills often. */
const kills = Number(process.env['KILLS'] ?? 8)
const seed = Number(process.env['SEED'] ?? 7)
const processes = 3
const callers = 24
const leaseSeconds = 2

let host: ModelHost
let databases: TestDatabase
let database: Database
let agent: Agent
const gateways: GatewayProcess[] = []

const spawn = () =>
  spawnGateway({ databaseUrl: databases.appUrl, environment: { LEASE_SECONDS: String(leaseSeconds) } })

beforeAll(async () => {
  host = await startModelHost({ knobs: { firstTokenMs: 4, chunkMs: 1, chunks: 10 } })
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareTree(database, host.url)
  gateways.push(...(await Promise.all(Array.from({ length: processes }, spawn))))
  agent = new Agent({ connections: 64, pipelining: 1 })
}, 60_000)

afterAll(async () => {
  await agent.destroy()
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await host.stop()
  await database.close()
  await databases.drop()
})

test(`${kills} times kill -9 under load: what a caller received whole is in the ledger once, and nothing stays held`, async () => {
  const random = seeded(seed)
  const key = await mintKey(database, 'prairie/trial')
  const outcomes: CallOutcome[] = []
  let isOver = false
  const caller = async (index: number): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      const gateway = gateways[(index + turn) % gateways.length]
      if (gateway === undefined) return
      outcomes.push(
        await callChat(agent, gateway.url, {
          key,
          stream: (index + turn) % 2 === 0,
          ...((index + turn) % 10 === 0 ? { leaveAfterMs: 6 } : {}),
        }),
      )
    }
  }
  const load = Array.from({ length: callers }, (_, index) => caller(index))

  for (let kill = 0; kill < kills; kill++) {
    const target = Math.floor(random() * processes)
    // A random moment of a call's life; under load every await point is somebody's.
    await new Promise((resolve) => setTimeout(resolve, random() * 60))
    await gateways[target]?.kill()
    gateways[target] = await spawn()
  }
  isOver = true
  await Promise.all(load)

  await until('nothing is held or open after the lease time', leaseSeconds * 1_000 * 2.5, async () => {
    const { held } = await readBudget(database, 'tokens/month')
    const slots = await readBudget(database, 'concurrency')
    return held === 0n && slots.held === 0n && (await countOpenCalls(database)) === 0
  })
  const ledger = await readLedger(database)
  const rowsOf = Map.groupBy(ledger, (row) => row.requestId)

  const whole = outcomes.filter((outcome) => outcome.isWhole)
  expect(whole.length).toBeGreaterThan(kills * 5)
  const notOnce = whole.filter(({ requestId }) => (rowsOf.get(requestId ?? '') ?? []).length !== 1)
  expect(notOnce).toEqual([])
  const wrongOutcome = whole.filter(({ requestId }) => rowsOf.get(requestId ?? '')?.[0]?.outcome !== 'answered')
  expect(wrongOutcome).toEqual([])
  // No call stands twice, in whatever form: settled by its own process and expired by another.
  expect([...rowsOf.values()].filter((rows) => rows.length > 1)).toEqual([])
  // The ledger and the budget tell the same, to the token.
  expect((await readBudget(database, 'tokens/month')).used).toBe(ledger.reduce((sum, row) => sum + row.tokens, 0n))

  // What the model host served and nobody knows of: killed in the moment between the request and its note.
  const known = new Set(ledger.map((row) => row.requestId))
  const unknown = host.usage().filter((row) => row.requestId !== null && !known.has(row.requestId))
  const count = (outcome: string) => ledger.filter((row) => row.outcome === outcome).length
  console.log(
    `kill -9: ${kills} kills, ${outcomes.length} calls, ${whole.length} received whole, ledger ${ledger.length} rows ` +
      `(${count('answered')} answered, ${count('client_left')} left, ${count('expired')} expired), ` +
      `${unknown.length} seen by the host only`,
  )
}, 600_000)
