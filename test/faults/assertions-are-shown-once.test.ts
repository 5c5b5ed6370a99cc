import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../../src/db/index.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm } from '../support/client-keys.ts'
import { declareTree, openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { spawnWeighed, type WeighedGateway } from '../support/gateway-memory.ts'

/** `npm run assertions`: 10,000 copies at 4 processes. */
const copies = Number(process.env['COPIES'] ?? 1_000)
const processes = Number(process.env['PROCESSES'] ?? 2)
const issuer = 'http://gateway.test'
const key = makeClientKey('ES384')
const other = makeClientKey('ES384')
const bound = makeClientKey('ES256')
let databases: TestDatabase
let database: Database
let gateways: WeighedGateway[]

const spawn = () => spawnWeighed({ databaseUrl: databases.appUrl, environment: { PUBLIC_URL: issuer } })

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareTree(database, 'http://127.0.0.1:9', {
    'lakeside/tenant.yaml': (text) =>
      text
        .replace('scopes: [chat, embeddings] }', `scopes: [chat, embeddings], client: ${clientYaml('smart', [key])} }`)
        .replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('smart', [other])} }`),
    'prairie/tenant.yaml': (text) =>
      text.replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('fapi2', [bound])} }`),
  })
  gateways = await Promise.all(Array.from({ length: processes }, spawn))
}, 60_000)
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  await database.close()
  await databases.drop()
})

const audience = `${issuer}/oauth/token`
const show = async (at: number, assertion: string): Promise<number> => {
  const gateway = gateways[at % gateways.length]
  const response = await fetch(`${gateway?.url}/oauth/token`, { method: 'POST', body: tokenForm(assertion) })
  await response.text()
  return response.status
}
const counted = (statuses: readonly number[]) =>
  Object.fromEntries([...Map.groupBy(statuses, String)].map(([status, all]) => [status, all.length]))

test('of copies shown at once to several processes, one is the first (SMART 336)', { timeout: 600_000 }, async () => {
  const assertions = await Promise.all(
    Array.from({ length: 10 }, () => signAssertion(key, { clientId: 'lakeside.ehr', audience })),
  )
  const shown = Array.from({ length: copies }, (_, index) => ({
    index,
    assertion: assertions[index % assertions.length] ?? '',
  }))
  const statuses: number[] = []
  // As many at once as sockets can be had, the copies of each side by side.
  for (let from = 0; from < shown.length; from += 500)
    statuses.push(
      ...(await Promise.all(shown.slice(from, from + 500).map(({ index, assertion }) => show(index, assertion)))),
    )
  expect(counted(statuses)).toEqual({ '200': assertions.length, '401': copies - assertions.length })
})

test(
  'while processes are killed and begin anew there is no second token either (SMART 336)',
  { timeout: 600_000 },
  async () => {
    const before = await Promise.all(gateways.map((gateway) => gateway.weigh()))
    const issued: string[] = []
    const batch = 500
    let kills = 0
    for (let from = 0; from < copies; from += batch) {
      // A jti of its own for each batch: one that was consumed by a process that died gives no token, and never two.
      const assertion = await signAssertion(key, { clientId: 'lakeside.ehr', audience })
      const shown = Array.from({ length: batch }, (_, index) => show(index, assertion).catch(() => 'gone' as const))
      const doomed = (from / batch) % gateways.length
      const killed = gateways[doomed]?.kill().then(spawn)
      const statuses = await Promise.all(shown)
      if (killed !== undefined) gateways[doomed] = await killed
      kills++
      // And again, when all of them are there.
      const late = await Promise.all(gateways.map((_, at) => show(at, assertion)))
      const tokens = [...statuses, ...late].filter((status) => status === 200)
      expect(tokens.length).toBeLessThanOrEqual(1)
      if (tokens.length === 1) issued.push(assertion)
    }
    const after = await Promise.all(gateways.map((gateway) => gateway.weigh()))
    for (const { heapMb } of after) expect(heapMb - Math.max(...before.map((was) => was.heapMb))).toBeLessThan(16)
    if (process.env['COPIES'] !== undefined)
      console.log(
        `${copies} copies of ${kills} assertions, ${kills} processes killed: ${issued.length} tokens, at most one each; ` +
          `heap ${shownMb(before, 'heapMb')} to ${shownMb(after, 'heapMb')} MB, RSS ${shownMb(before, 'rssMb')} to ${shownMb(after, 'rssMb')} MB`,
      )
  },
)

type Weight = Awaited<ReturnType<WeighedGateway['weigh']>>
const shownMb = (weights: readonly Weight[], part: keyof Weight): string =>
  weights.map((weight) => weight[part].toFixed(0)).join('/')

test(
  'what was shown before every process was killed is not shown again after (SMART 336)',
  { timeout: 60_000 },
  async () => {
    const assertion = await signAssertion(key, { clientId: 'lakeside.ehr', audience })
    expect(await show(0, assertion)).toBe(200)
    await Promise.all(gateways.map((gateway) => gateway.kill()))
    gateways = await Promise.all(Array.from({ length: processes }, spawn))
    expect(await Promise.all(gateways.map((_, at) => show(at, assertion)))).toEqual(gateways.map(() => 401))
  },
)

test('a DPoP proof that one process has seen is refused by every other (RFC 9449, section 11.1)', async () => {
  const { kid: _, ...jwk } = bound.publicJwk
  const proofFor = (claims: Readonly<Record<string, unknown>>) =>
    signAssertion(bound, {
      clientId: 'prairie.trial',
      audience: issuer,
      header: { typ: 'dpop+jwt', jwk },
      claims: { iat: Math.floor(Date.now() / 1000), ...claims },
    })
  const assertion = await signAssertion(bound, { clientId: 'prairie.trial', audience: issuer })
  const granted = await fetch(`${gateways[0]?.url}/oauth/token`, {
    method: 'POST',
    body: tokenForm(assertion),
    headers: { dpop: await proofFor({ htm: 'POST', htu: audience }) },
  })
  const { access_token: token } = z.object({ access_token: z.string() }).parse(await granted.json())
  const ath = createHash('sha256').update(token).digest('base64url')
  const proofs = await Promise.all(
    Array.from({ length: 20 }, () => proofFor({ htm: 'GET', htu: `${issuer}/v1/models`, ath })),
  )
  const use = async (at: number, dpop: string): Promise<number> => {
    const headers = { authorization: `DPoP ${token}`, dpop }
    return (await fetch(`${gateways[at]?.url}/v1/models`, { headers })).status
  }
  // Each at every process at the same time.
  const statuses = await Promise.all(proofs.map((dpop) => Promise.all(gateways.map((__, at) => use(at, dpop)))))
  for (const each of statuses) expect(counted(each)).toEqual({ '200': 1, '401': gateways.length - 1 })
})

test('a bad copy that comes first, and a hundred that come beside it, do not use an assertion up', async () => {
  const assertion = await signAssertion(key, { clientId: 'lakeside.ehr', audience })
  const bad = `${assertion.slice(0, -4)}AAAA`
  expect(counted(await Promise.all(Array.from({ length: 100 }, (_, at) => show(at, bad))))).toEqual({ '401': 100 })
  const statuses = await Promise.all([...Array.from({ length: 100 }, (_, at) => show(at, bad)), show(0, assertion)])
  expect(counted(statuses)).toEqual({ '200': 1, '401': 100 })
})

test('the same jti of another client is another', async () => {
  const claims = { jti: crypto.randomUUID() }
  const one = await signAssertion(key, { clientId: 'lakeside.ehr', audience, claims })
  const two = await signAssertion(other, { clientId: 'lakeside.portal', audience, claims })
  expect([await show(0, one), await show(1, two), await show(1, one)]).toEqual([200, 200, 401])
})
