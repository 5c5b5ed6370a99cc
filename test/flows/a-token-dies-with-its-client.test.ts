import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { systemTransaction } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { actOnLicense } from '../../src/licensing/index.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm, type ClientKey } from '../support/client-keys.ts'
import { openHouse, tester, type House, type HouseOptions } from '../support/house.ts'

const issuer = 'http://gateway.test'
const firstKey = makeClientKey('ES384', 'first')
const secondKey = makeClientKey('ES384', 'second')
let house: House
/** Two gateways of one house, by their addresses. */
let urls: readonly [string, string]

type Replace = NonNullable<HouseOptions['replace']>
const client = (yaml: string | undefined): Replace => ({
  'lakeside/tenant.yaml': (text) =>
    yaml === undefined
      ? text
      : text.replace('scopes: [chat, embeddings] }', `scopes: [chat, embeddings], client: ${yaml} }`),
})
const withKeys = (...keys: readonly ClientKey[]) => client(clientYaml('smart', keys))

beforeAll(async () => {
  house = await openHouse({ environment: { PUBLIC_URL: issuer }, replace: withKeys(firstKey) })
  urls = [house.url, `http://127.0.0.1:${(await house.openAnother()).port}`]
})
afterAll(() => house.stop())

const post = async (path: string, form: URLSearchParams) => fetch(`${urls[0]}${path}`, { method: 'POST', body: form })
const assertion = (key: ClientKey) =>
  signAssertion(key, { clientId: 'lakeside.ehr', audience: `${issuer}/oauth/token` })
const Token = z.object({ access_token: z.string() })
async function tokenBy(key: ClientKey): Promise<string> {
  const response = await post('/oauth/token', tokenForm(await assertion(key), { scope: 'chat embeddings' }))
  return Token.parse(await response.json()).access_token
}

const Refused = z.object({ error: z.object({ code: z.string() }) })
async function call(url: string, token: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
  })
  const body: unknown = await response.json()
  return response.ok ? 'answered' : Refused.parse(body).error.code
}
const callBoth = (token: string) => Promise.all(urls.map((url) => call(url, token)))

/** A second from what was done, at every gateway. */
const expectWithinASecond = (token: string, code: string) =>
  expect.poll(() => callBoth(token), { timeout: 1_000, interval: 20 }).toEqual([code, code])

const act = (what: 'suspend' | 'resume') =>
  systemTransaction(house.database, 'administer', (tx) =>
    actOnLicense(tx, {
      license: 'LIC-LAKESIDE',
      act: what,
      reason: 'a test',
      until: undefined,
      actor: tester,
      now: instant(Date.now()),
    }),
  )

test('a token that one gateway has issued opens every other one', async () => {
  expect(await callBoth(await tokenBy(firstKey))).toEqual(['answered', 'answered'])
})

test('a token dies within a second with its license, and lives again with it', async () => {
  const token = await tokenBy(firstKey)
  await act('suspend')
  await expectWithinASecond(token, 'license_suspended')
  await act('resume')
  await expectWithinASecond(token, 'answered')
})

test('a token that its client takes back dies within a second, and no other', async () => {
  const [token, other] = [await tokenBy(firstKey), await tokenBy(firstKey)]
  const form = new URLSearchParams({ ...Object.fromEntries(tokenForm(await assertion(firstKey))), token })
  expect((await post('/oauth/revoke', form)).status).toBe(200)
  await expectWithinASecond(token, 'invalid_token')
  expect(await callBoth(other)).toEqual(['answered', 'answered'])
})

test('a token dies within a second when the keys of its client change', async () => {
  const token = await tokenBy(firstKey)
  await house.declare(withKeys(secondKey))
  await expectWithinASecond(token, 'invalid_token')
  expect(await callBoth(await tokenBy(secondKey))).toEqual(['answered', 'answered'])
  expect((await post('/oauth/token', tokenForm(await assertion(firstKey)))).status).toBe(401)
})

test('a token dies within a second with its client, and does not return with it', async () => {
  const token = await tokenBy(secondKey)
  await house.declare(client(undefined))
  await expectWithinASecond(token, 'invalid_token')
  expect((await post('/oauth/token', tokenForm(await assertion(secondKey)))).status).toBe(401)
  await house.declare(withKeys(secondKey))
  await expect.poll(async () => (await post('/oauth/token', tokenForm(await assertion(secondKey)))).status).toBe(200)
  expect(await callBoth(token)).toEqual(['invalid_token', 'invalid_token'])
})

test('a scope that the application loses is lost to its tokens within a second', async () => {
  const token = await tokenBy(secondKey)
  await house.declare({
    'lakeside/tenant.yaml': (text) =>
      text.replace(
        'scopes: [chat, embeddings] }',
        `scopes: [embeddings], client: ${clientYaml('smart', [secondKey])} }`,
      ),
  })
  await expectWithinASecond(token, 'policy_denied')
  await house.declare(withKeys(secondKey))
  await expectWithinASecond(token, 'answered')
})

test('an answer that is on its way is cut when its token is taken back', { timeout: 15_000 }, async () => {
  const token = await tokenBy(secondKey)
  house.host.setKnobs({ chunks: 200, chunkMs: 50 })
  const response = await fetch(`${urls[1]}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ model: 'scribe', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
  })
  const form = new URLSearchParams({ ...Object.fromEntries(tokenForm(await assertion(secondKey))), token })
  expect((await post('/oauth/revoke', form)).status).toBe(200)
  const text = await response.text()
  expect(text).toContain('invalid_token')
  expect(text).not.toContain('[DONE]')
})
