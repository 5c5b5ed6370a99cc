import { randomBytes, randomInt } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemTransaction } from '../../src/db/index.ts'
import { mintApiKey, revokeKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { openHouse, tester, type House } from '../support/house.ts'
import { mistyped, withChecksum, withWrongSecret } from './impersonate.ts'
import { sendRaw, type RawAnswer } from './raw-request.ts'
import { watchWrites, type Writes } from './watch-writes.ts'
import { keyIdOf } from './world.ts'

let house: House
let owner: pg.Pool
let writes: Writes
let key: string
let revoked: string
beforeAll(async () => {
  house = await openHouse({ environment: { LEASE_SECONDS: '60' } })
  owner = new pg.Pool({ connectionString: house.databases.ownerUrl, max: 2 })
  key = await house.key('lakeside/ehr')
  revoked = await house.newKey('lakeside/ehr')
  const wish = { keyId: keyIdOf(revoked), reason: 'a test', actor: tester, now: instant(Date.now()) }
  await systemTransaction(house.database, 'administer', (tx) => revokeKey(tx, wish))
  writes = await watchWrites(owner, house.database.systemPool)
})
afterAll(async () => {
  await owner.end()
  await house.stop()
})

const long = 'a'.repeat(100_000)
const payloads: readonly string[] = [
  `' or '1'='1`,
  `'; drop table usage_event; --`,
  `scribe' union select encode(secret_hmac, 'hex') from api_key --`,
  `scribe'/**/or/**/pg_sleep(60)--`,
  `\\'; commit; --`,
  `$1`,
  `\${jndi:ldap://127.0.0.1/x}`,
  `{{constructor.constructor('return process')()}}`,
  `__proto__`,
  `constructor`,
  `toString`,
  `../../_knobs`,
  `..%2f..%2f_knobs`,
  `%27%20or%201=1`,
  `%ff%fe`,
  `scribe@`,
  `@1.0.0`,
  `scribe@1.0.0@1.0.0`,
  `scribe@1.0.0'--`,
  `http://127.0.0.1:1/v1`,
  `SCRIBE`,
  `scrіbe`,
  `ｓｃｒｉｂｅ`,
  `scribe\u200b`,
  `🫀🫁🧠`,
  long,
]
/** What JSON can carry and a header or a path cannot. */
const onlyInJson: readonly string[] = [
  '\0',
  'scribe\0',
  'scribe\n',
  '\r\nx-injected: yes',
  '\ud800',
  'scribe\ud800',
  '',
]

const named = (payload: string): string => (payload === long ? '100 KB' : JSON.stringify(payload))

const Refused = z.object({
  error: z.looseObject({ code: z.string(), reasons: z.array(z.string()), message: z.string() }),
})

/** A clean no: ours with one of these codes, or Node's own about a request that is none. */
function expectCleanNo(answer: RawAnswer, codes: readonly string[]): void {
  if (answer.body === '') {
    expect([400, 431]).toContain(answer.status)
    return
  }
  expect(answer.status, answer.body).toBeGreaterThanOrEqual(400)
  expect(answer.status, answer.body).toBeLessThan(500)
  expect(codes).toContain(Refused.parse(JSON.parse(answer.body)).error.code)
  expect(answer.head).not.toMatch(/x-injected/i)
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
const chat = (members: object, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
  sendRaw(house.url, {
    line: 'POST /v1/chat/completions HTTP/1.1',
    headers: { ...bearer(key), ...headers },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }], ...members }),
  })

describe('a text that is more than it should be', () => {
  test('is no key', async () => {
    const id = key.slice('fml_live_'.length, 'fml_live_'.length + 12)
    const keys = [
      ...payloads,
      withChecksum(`fml_live_${id}_' or '1'='1`),
      `${key}'--`,
      `${key}\u00a0`,
      `fml_live_${id}`,
    ]
    for (const text of keys) {
      const headers = { authorization: `Bearer ${text}` }
      // A text of three parts with dots between is read as a token, and is none either.
      const codes = ['invalid_api_key', 'invalid_token']
      expectCleanNo(await sendRaw(house.url, { line: 'GET /v1/models HTTP/1.1', headers }), codes)
    }
  })

  test.each([...payloads, ...onlyInJson].map((payload) => [named(payload), payload]))(
    '%s is no model in a body',
    async (_name, model) => {
      expectCleanNo(await chat({ model }), ['model_not_found', 'invalid_request'])
    },
  )

  test.each(payloads.map((payload) => [named(payload), payload]))('%s is no model in a path', async (_name, text) => {
    const path = encodeURIComponent(text)
    for (const line of [
      `GET /v1/models/${path} HTTP/1.1`,
      `GET /v2/models/${path} HTTP/1.1`,
      `GET /v2/models/ecg-low-ef/versions/${path}/ready HTTP/1.1`,
      `POST /v2/models/${path}/infer HTTP/1.1`,
    ]) {
      const body = '{"inputs":[{"name":"ecg","shape":[1],"datatype":"FP32","data":[0]}]}'
      expectCleanNo(await sendRaw(house.url, { line, headers: bearer(key), body }), [
        'model_not_found',
        'model_not_licensed',
      ])
      // As it is, without being encoded: no route, or no HTTP at all.
      const plain = line.replace(path, text)
      expectCleanNo(await sendRaw(house.url, { line: plain, headers: bearer(key), body }), [
        'model_not_found',
        'not_found',
      ])
    }
  })

  test.each(payloads.map((payload) => [named(payload), payload]))(
    '%s is no facility and no purpose of use',
    async (_name, text) => {
      expectCleanNo(await chat({}, { 'formulary-facility': text }), ['facility_not_covered'])
      expectCleanNo(await chat({}, { 'formulary-purpose-of-use': text }), ['purpose_not_licensed'])
    },
  )

  test.each(['from', 'to', 'limit', 'after'])('is no value of %s', async (name) => {
    for (const text of [...payloads, ...onlyInJson.filter((value) => value.isWellFormed())]) {
      const line = `GET /v1/usage?${name}=${encodeURIComponent(text)} HTTP/1.1`
      expectCleanNo(await sendRaw(house.url, { line, headers: bearer(key) }), ['invalid_request'])
    }
  })

  test('does not get a control character past the parser of headers', async () => {
    for (const text of ['general\0', 'general\x01', 'gene\x7fral', 'general\r'])
      expectCleanNo(await chat({}, { 'formulary-facility': text }), ['facility_not_covered'])
  })
})

describe('a body that two readers could take for two', () => {
  test.each([
    ['names two models', '{"model":"scribe","model":"hidden","messages":[{"role":"user","content":"a"}]}'],
    [
      'names a second one in escapes',
      '{"model":"scribe","mod\\u0065l":"hidden","messages":[{"role":"user","content":"a"}]}',
    ],
    [
      'has its limits twice',
      '{"model":"scribe","max_tokens":1,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}',
    ],
    ['goes on after its end', '{"model":"scribe","messages":[{"role":"user","content":"a"}]}{"model":"hidden"}'],
    ['is a list', '[{"model":"scribe"}]'],
    ['is a text', '"scribe"'],
    ['is nothing', 'null'],
    ['is empty', ''],
    ['is not JSON', '{model: scribe}'],
    ['names its model by a number', '{"model":1,"messages":[{"role":"user","content":"a"}]}'],
    ['names its model by a list', '{"model":["scribe"],"messages":[{"role":"user","content":"a"}]}'],
    ['names its model by a prototype', '{"__proto__":{"model":"scribe"},"messages":[{"role":"user","content":"a"}]}'],
  ])('and %s is refused', async (_what, body) => {
    const request = { line: 'POST /v1/chat/completions HTTP/1.1', headers: bearer(key), body }
    expectCleanNo(await sendRaw(house.url, request), ['invalid_request'])
  })

  test('and is nested beyond all sense is a clean no', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const body = `{"model":"hidden","messages":[{"role":"user","content":${deep}}]}`
    const request = { line: 'POST /v1/chat/completions HTTP/1.1', headers: bearer(key), body }
    expectCleanNo(await sendRaw(house.url, request), ['model_not_found', 'invalid_request'])
  })
})

test('none of all this reached a model host or wrote a row, but that somebody who is known was refused', async () => {
  expect(house.host.stats().opened).toBe(0)
  const written = Object.keys((await writes.seen()).written)
  expect(written.filter((what) => !/^audit_entry_\d{4}_\d{2} insert$/.test(what))).toEqual([])
})

/** Wrong keys by the thousand, as a scanner sends them: of every kind, at every route, many at once. */
test('two thousand wrong keys write no row in any table', { timeout: 60_000 }, async () => {
  const before = await writes.seen()
  const kinds: readonly (() => Record<string, string>)[] = [
    () => ({}),
    () => bearer(mintApiKey(randomBytes(42)).text.reveal()),
    () => bearer(withWrongSecret(key)),
    () => bearer(mistyped(key)),
    () => bearer(revoked),
    () => bearer(`sk-${randomBytes(24).toString('hex')}`),
    () => bearer(`' or key_id = '${randomBytes(4).toString('hex')}`),
    () => ({ authorization: `Basic ${randomBytes(30).toString('base64')}` }),
    () => ({ 'x-api-key': key }),
    () => bearer(randomBytes(256).toString('hex')),
  ]
  const asks: readonly ((headers: Record<string, string>) => Promise<Response>)[] = [
    (headers) => fetch(`${house.url}/v1/models`, { headers }),
    (headers) => fetch(`${house.url}/v1/usage?from=2026-01-01`, { headers }),
    (headers) => fetch(`${house.url}/v2/models/ecg-low-ef/ready`, { headers }),
    (headers) => fetch(`${house.url}/v1/chat/completions`, { method: 'POST', headers, body: '{"model":"scribe"}' }),
  ]
  let sent = 0
  const sendMany = async () => {
    for (let turn = sent++; turn < 2_000; turn = sent++) {
      const response = await asks[randomInt(asks.length)]?.(kinds[turn % kinds.length]?.() ?? {})
      expect(response?.status).toBe(401)
      expect(Refused.parse(await response?.json()).error.reasons).toEqual(['invalid_api_key'])
    }
  }
  await Promise.all(Array.from({ length: 32 }, sendMany))
  expect(before.rows['api_key']).toBe(2)
  expect(await writes.seen()).toEqual(before)
  expect(house.host.stats().opened).toBe(0)
})
