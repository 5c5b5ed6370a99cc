import { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { declareTree, mintKey, openTestDatabase } from '../support/house.ts'
import { callChat } from '../support/model-call.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { countOpenCalls, readBudget, readLedger, until } from '../support/ledger.ts'
import { spawnGateway, type GatewayProcess } from '../support/processes.ts'
import { seeded } from '../support/seeded.ts'
import { startModelHost, type ModelHost } from '../../infra/model-host/model-host.ts'
import type { Database } from '../../src/db/index.ts'

/** Each call is worth exactly so many tokens: the context bounds the prompt, and the host says that it was filled. */
const inputTokens = 100
const outputTokens = 20
const callTokens = inputTokens + outputTokens
const processes = 4
const leaseSeconds = 2

/** Seeds are few in a suite that everybody runs; SEEDS=200 runs many. */
const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 3) }, (_, index) => index + 1)

let host: ModelHost
let gateways: readonly GatewayProcess[]
let databases: TestDatabase
let database: Database
let agent: Agent

/** A budget of its own for each round: the application is the same, the license's budget grows by a revision. */
async function declareBudget(limit: number): Promise<void> {
  await declareTree(database, host.url, {
    'models/scribe.yaml': (text) => text.replaceAll('contextTokens: 8192', `contextTokens: ${inputTokens}`),
    'prairie/license.yaml': (text) => text.replace('limit: 1000000000', `limit: ${limit}`),
  })
}

beforeAll(async () => {
  host = await startModelHost({
    knobs: {
      firstTokenMs: 5,
      chunkMs: 0,
      promptTokens: inputTokens,
      completionTokens: outputTokens,
      chunks: outputTokens,
    },
  })
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareBudget(1)
  gateways = await Promise.all(
    Array.from({ length: processes }, () =>
      spawnGateway({ databaseUrl: databases.appUrl, environment: { LEASE_SECONDS: String(leaseSeconds) } }),
    ),
  )
  agent = new Agent({ connections: 300, pipelining: 1 })
}, 60_000)

afterAll(async () => {
  await agent.destroy()
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await host.stop()
  await database.close()
  await databases.drop()
})

const call = (gateway: GatewayProcess, key: string, how: { stream: boolean; leaveAfterMs?: number }) =>
  callChat(agent, gateway.url, { key, maxTokens: outputTokens, ...how })

const usedNow = async () => (await readBudget(database, 'tokens/month')).used
const pick = (index: number): GatewayProcess => {
  const gateway = gateways[index % gateways.length]
  if (gateway === undefined) throw new Error('no gateway')
  return gateway
}

describe.each(seeds)('seed %i', (seed) => {
  test('1,000 calls at once on a budget worth exactly 100 of them: 100 answers, 900 refusals, and the ledger is the budget', async () => {
    const random = seeded(seed)
    const before = await usedNow()
    await declareBudget(Number(before) + 100 * callTokens)
    const key = await mintKey(database, 'prairie/trial')
    const known = new Set((await readLedger(database)).map((row) => row.requestId))
    const stream = random() < 0.5
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => call(pick(Math.floor(random() * 1_000) + index), key, { stream })),
    )
    const tally: Record<string, number> = {}
    for (const { isWhole, status, code } of outcomes) {
      const what = isWhole ? 'whole' : `${status} ${code}`
      tally[what] = (tally[what] ?? 0) + 1
    }
    expect(tally).toEqual({ whole: 100, '429 insufficient_quota': 900 })
    const rows = (await readLedger(database)).filter((row) => !known.has(row.requestId))
    expect(rows).toHaveLength(100)
    expect(rows.reduce((sum, row) => sum + row.tokens, 0n)).toBe(BigInt(100 * callTokens))
    expect(await usedNow()).toBe(before + BigInt(100 * callTokens))
    await until('nothing is held one lease time later', leaseSeconds * 1_000 * 2.5, async () => {
      const { held } = await readBudget(database, 'tokens/month')
      return held === 0n && (await countOpenCalls(database)) === 0
    })
  }, 60_000)

  test('with 30 % of the callers leaving: never above the budget, and nothing held one lease time later', async () => {
    const random = seeded(seed + 10_000)
    const before = await usedNow()
    const limit = before + BigInt(100 * callTokens)
    await declareBudget(Number(limit))
    const key = await mintKey(database, 'prairie/trial')
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        call(pick(index), key, {
          stream: random() < 0.5,
          ...(random() < 0.3 ? { leaveAfterMs: random() * 400 } : {}),
        }),
      ),
    )
    const used = await usedNow()
    expect(used).toBeLessThanOrEqual(limit)
    expect(outcomes.filter((outcome) => outcome.isWhole).length).toBeLessThanOrEqual(100)
    await until('nothing is held one lease time later', leaseSeconds * 1_000 * 2.5, async () => {
      const { held } = await readBudget(database, 'tokens/month')
      return held === 0n && (await countOpenCalls(database)) === 0
    })
    const ledger = await readLedger(database)
    expect(ledger.reduce((sum, row) => sum + row.tokens, 0n)).toBe(await usedNow())
    expect(new Set(ledger.map((row) => `${row.requestId}/${row.attempt}`)).size).toBe(ledger.length)
  }, 60_000)
})
