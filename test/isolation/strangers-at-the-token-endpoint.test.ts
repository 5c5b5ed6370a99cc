import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mintApiKey } from '../../src/identity/index.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm, type AssertionWish } from '../support/client-keys.ts'
import { openHouse, type House } from '../support/house.ts'
import { watchWrites, type Writes } from './watch-writes.ts'

/** `ASSERTIONS=91000` shows as many. */
const assertions = Number(process.env['ASSERTIONS'] ?? 2_000)
const key = makeClientKey('ES384')
const stranger = makeClientKey('ES384')
let house: House
let owner: pg.Pool
let writes: Writes

beforeAll(async () => {
  house = await openHouse({
    environment: { LEASE_SECONDS: '3600' },
    replace: {
      'lakeside/tenant.yaml': (text) =>
        text.replace(
          'scopes: [chat, embeddings] }',
          `scopes: [chat, embeddings], client: ${clientYaml('smart', [key])} }`,
        ),
    },
  })
  owner = new pg.Pool({ connectionString: house.databases.ownerUrl, max: 2 })
  writes = await watchWrites(owner, house.database.systemPool)
})
afterAll(async () => {
  await owner.end()
  await house.stop()
})

const post = async (assertion: string) => {
  const response = await fetch(`${house.url}/oauth/token`, { method: 'POST', body: tokenForm(assertion) })
  const headers = [...response.headers].filter(([name]) => name !== 'x-request-id' && name !== 'date')
  return { status: response.status, seen: JSON.stringify([await response.text(), headers]) }
}

const now = () => Math.floor(Date.now() / 1000)
const wrong: readonly (Partial<AssertionWish> & { by?: typeof key })[] = [
  { clientId: 'lakeside.nobody' },
  { clientId: 'nobody.ehr' },
  { clientId: 'x' },
  { by: stranger },
  { audience: 'https://elsewhere.example' },
  { claims: { exp: now() - 3_600 } },
  { claims: { jti: undefined } },
  { header: { kid: 'unknown' } },
  { header: { jku: 'https://keys.example' } },
]

test('whoever is not a client writes no row, and always reads the same', { timeout: 1_800_000 }, async () => {
  // The last of these are refused as too many from one network: a client's name or nobody's, with the same words.
  const before = await writes.seen()
  const shown = await Promise.all(
    wrong.map(({ by = key, ...wish }) =>
      signAssertion(by, { clientId: 'lakeside.ehr', audience: `${house.url}/oauth/token`, ...wish }),
    ),
  )
  const answers = new Map<number, Set<string>>([
    [401, new Set()],
    [429, new Set()],
  ])
  for (let sent = 0; sent < assertions; sent += 100) {
    const batch = Array.from({ length: 100 }, (_, index) => post(shown[(sent + index) % shown.length] ?? ''))
    for (const { status, seen } of await Promise.all(batch)) {
      answers.get(status)?.add(seen)
      expect([401, 429]).toContain(status)
    }
  }
  expect([...answers.values()].map((words) => words.size)).toEqual([1, 1])
  expect(await writes.seen()).toEqual(before)
})

test('a hospital whose network sends thousands of wrong ones is not locked out: the right client writes one row', async () => {
  const one = await signAssertion(stranger, { clientId: 'lakeside.ehr', audience: `${house.url}/oauth/token` })
  expect((await post(one)).status).toBe(429)
  const good = await signAssertion(key, { clientId: 'lakeside.ehr', audience: `${house.url}/oauth/token` })
  expect((await post(good)).status).toBe(200)
  expect((await writes.seen()).written['assertion_jti insert']).toBe(1)
  // Nor is a right key, beside wrong ones.
  const models = async (apiKey: string) =>
    (await fetch(`${house.url}/v1/models`, { headers: { authorization: `Bearer ${apiKey}` } })).status
  expect(await models(mintApiKey(crypto.getRandomValues(new Uint8Array(42))).text.reveal())).toBe(429)
  // One that was made this moment is not looked for: it works when the process next polls.
  const right = await house.key('lakeside/ehr')
  await expect.poll(() => models(right), { timeout: 1_000, interval: 50 }).toBe(200)
})
