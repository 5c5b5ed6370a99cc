import { Agent, request } from 'node:http'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { createKey, mintApiKey, refusedMax, windowSeconds } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm } from '../support/client-keys.ts'
import { declareTree, keyMaking, openTestDatabase, tester } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { spawnWeighed, type WeighedGateway } from '../support/gateway-memory.ts'
import { watchWrites, type Writes } from './watch-writes.ts'

/**
 * `npm run strangers` shows 91,000 wrong keys and 91,000 bad assertions, as many as an outage elsewhere was made of
 * (test/incidents), each kind once from one network and once from 91,000; and compares the times of unknown and wrong.
 */
const strangers = Number(process.env['STRANGERS'] ?? 1_200)
const samples = Number(process.env['SAMPLES'] ?? 0)
/** Fewer than what is asked beyond the limit: all of them may be under way when it is reached. */
const connections = Math.max(1, Math.min(256, Math.floor((strangers - refusedMax) / 2)))
const issuer = 'http://gateway.test'
const clientKey = makeClientKey('ES384')
let databases: TestDatabase
let database: Database
let owner: pg.Pool
let writes: Writes
let gateway: WeighedGateway

/** The public part of a key that exists; what follows makes it right or wrong. */
const knownBytes = crypto.getRandomValues(new Uint8Array(42))
const keyOf = (beginning: Uint8Array) => {
  const bytes = crypto.getRandomValues(new Uint8Array(42))
  bytes.set(beginning)
  return mintApiKey(bytes).text.reveal()
}

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareTree(database, 'http://127.0.0.1:9', {
    'lakeside/tenant.yaml': (text) =>
      text.replace(
        'scopes: [chat, embeddings] }',
        `scopes: [chat, embeddings], client: ${clientYaml('smart', [clientKey])} }`,
      ),
  })
  const made = await systemTransaction(database, 'administer', (tx) =>
    createKey(
      tx,
      { ...keyMaking, randomBytes: () => knownBytes },
      {
        tenant: 'lakeside',
        application: 'ehr',
        scopes: undefined,
        days: 30,
        actor: tester,
        now: instant(Date.now()),
      },
    ),
  )
  expect(made.ok).toBe(true)
  owner = new pg.Pool({ connectionString: databases.ownerUrl, max: 2 })
  gateway = await spawnWeighed({
    databaseUrl: databases.appUrl,
    // The test is the proxy, and says where each stranger is.
    environment: { PUBLIC_URL: issuer, LEASE_SECONDS: '3600', TRUSTED_PROXIES: '127.0.0.1' },
  })
  writes = await watchWrites(owner, database.systemPool)
})
afterAll(async () => {
  await gateway.stop()
  await owner.end()
  await database.close()
  await databases.drop()
})

interface Shown {
  readonly path: string
  readonly authorization?: string
  readonly form?: string
}
const agent = new Agent({ keepAlive: true, maxSockets: connections })

/** One stranger's request: its status, and the milliseconds that it took. */
function show({ path, authorization, form }: Shown, from: string): Promise<{ status: number; ms: number }> {
  const began = performance.now()
  const headers = {
    'x-forwarded-for': from,
    ...(authorization === undefined ? {} : { authorization }),
    ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  return new Promise((resolve, reject) => {
    const asked = request(gateway.url + path, { method: form === undefined ? 'GET' : 'POST', agent, headers })
    asked.on('error', reject)
    asked.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, ms: performance.now() - began }))
    })
    asked.end(form)
  })
}

const addressOf = (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`

/** Shows so many over so many connections. */
async function flood(times: number, make: (index: number) => Shown, from: (index: number) => string) {
  const statuses = new Map<number, number>()
  const began = performance.now()
  let next = 0
  const connection = async () => {
    for (let index = next++; index < times; index = next++) {
      const { status } = await show(make(index), from(index))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: connections }, connection))
  const seconds = (performance.now() - began) / 1000
  return { statuses, seconds, perSecond: times / seconds }
}

const wrongKeys = (index: number): Shown => ({
  path: '/v1/models',
  authorization: `Bearer ${keyOf(index % 2 === 0 ? new Uint8Array() : knownBytes.subarray(0, 10))}`,
})
/** A signature costs the test as much as the gateway: some are made beforehand, and shown again and again. */
const bad: string[] = []
const badAssertions = (index: number): Shown => ({ path: '/oauth/token', form: bad[index % bad.length] ?? '' })
const badAssertion = async (clientId: string) =>
  tokenForm(await signAssertion(makeClientKey('ES384'), { clientId, audience: `${issuer}/oauth/token` })).toString()

test.each([
  ['wrong keys from as many networks', wrongKeys, addressOf],
  ['wrong keys from one network', wrongKeys, () => '192.0.2.1'],
  ['bad assertions from as many networks', badAssertions, addressOf],
  ['bad assertions from one network', badAssertions, () => '192.0.2.2'],
])(
  '%s write nothing, and what the process holds stays what it was',
  { timeout: 1_200_000 },
  async (kind, make, from) => {
    while (bad.length < 100) bad.push(await badAssertion('lakeside.ehr'), await badAssertion('lakeside.nobody'))
    // V8 compiles what it sees often, and buffers grow to the number of connections: that is not what is asked about.
    const { statuses: warm } = await flood(Math.min(strangers / 6, 3_000), make, addressOf)
    expect([...warm.keys()]).toEqual([401])
    const before = { ...(await gateway.weigh()), writes: await writes.seen() }
    const { statuses, seconds, perSecond } = await flood(strangers, make, from)
    const after = await gateway.weigh()
    expect(await writes.seen()).toEqual(before.writes)
    const { 401: refused = 0, 429: hurried = 0 } = Object.fromEntries(statuses)
    expect(refused + hurried).toBe(strangers)
    expect(refused).toBeGreaterThanOrEqual(from === addressOf ? strangers : refusedMax)
    // A slow machine spreads them over more than one window, and those that were under way when the last of a window was
    // refused are told the same as it.
    const windows = Math.ceil(seconds / windowSeconds)
    if (from !== addressOf) expect(refused).toBeLessThanOrEqual(windows * (refusedMax + connections))
    expect(after.heapMb - before.heapMb).toBeLessThan(8)
    tell(
      `${kind}: ${Math.round(perSecond)} a second, heap after gc ${mb(before.heapMb)} to ${mb(after.heapMb)} MB, ` +
        `RSS ${mb(before.rssMb)} to ${mb(after.rssMb)} MB, ${JSON.stringify(Object.fromEntries(statuses))}, 0 rows`,
    )
  },
)

test.runIf(samples > 0)('unknown and wrong take the same time', { timeout: 1_200_000 }, async () => {
  for (const [kind, unknown, wrong] of [
    [
      'keys',
      () => ({ path: '/v1/models', authorization: `Bearer ${keyOf(new Uint8Array())}` }),
      () => ({ path: '/v1/models', authorization: `Bearer ${keyOf(knownBytes.subarray(0, 10))}` }),
    ],
    [
      'assertions',
      async () => ({ path: '/oauth/token', form: await badAssertion('lakeside.nobody') }),
      async () => ({ path: '/oauth/token', form: await badAssertion('lakeside.ehr') }),
    ],
  ] as const) {
    const took: { unknown: number[]; wrong: number[] } = { unknown: [], wrong: [] }
    let network = 0
    const sampler = async () => {
      for (let round = 0; round < samples / 4; round++)
        for (const which of Math.random() < 0.5 ? (['unknown', 'wrong'] as const) : (['wrong', 'unknown'] as const)) {
          const shown = await (which === 'unknown' ? unknown : wrong)()
          await new Promise((resolve) => void setTimeout(resolve, Math.random() * 100))
          took[which].push((await show(shown, addressOf(network++))).ms)
        }
    }
    await Promise.all(Array.from({ length: 4 }, sampler))
    const [a, b] = [took.unknown.toSorted((x, y) => x - y), took.wrong.toSorted((x, y) => x - y)]
    const at = (times: readonly number[], part: number) => (times[Math.floor(times.length * part)] ?? 0).toFixed(1)
    const quantiles = (times: readonly number[]) => [0.1, 0.5, 0.9, 0.99].map((part) => at(times, part)).join(' / ')
    // At a 5 % level two samples of one distribution lie farther apart than this once in twenty times.
    const apart = 1.36 * Math.sqrt((a.length + b.length) / (a.length * b.length))
    tell(
      `${kind}, ms at p10 / p50 / p90 / p99: unknown ${quantiles(a)}, wrong ${quantiles(b)}; ` +
        `Kolmogorov-Smirnov distance ${distance(a, b).toFixed(3)}, limit ${apart.toFixed(3)} (n = ${a.length})`,
    )
  }
})

/** The farthest that two samples' shares below a value are from each other. Both sorted. */
const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.max(
    ...a.map((value, index) =>
      Math.abs((index + 1) / a.length - b.filter((other) => other <= value).length / b.length),
    ),
  )

const mb = (megabytes: number): string => megabytes.toFixed(1)
/** The figures are for whoever asked for them. */
const tell = (line: string): void => {
  if (process.env['STRANGERS'] !== undefined) console.log(line)
}
