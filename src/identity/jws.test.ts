import { expect, test } from 'vitest'
import { makeClientKey, signAssertion } from '../../test/support/client-keys.ts'
import { algorithmsOf, PublicJwk } from './client.ts'
import { base64Url, readJws, verifyJws, type Jws } from './jws.ts'

const key = makeClientKey('ES384', 'one')
const namesake = makeClientKey('ES384', 'one')
const rsaNamesake = makeClientKey('RS384', 'one')
const jwkOf = ({ publicJwk }: typeof key, more: object = {}) => PublicJwk.parse({ ...publicJwk, ...more })
const smart = algorithmsOf('smart')
const text = await signAssertion(key, { clientId: 'a.b', audience: 'c' })

function jws(): Jws {
  const read = readJws(text, 8_192)
  if (read === undefined) throw new Error('the test’s own assertion is not read')
  return read
}

test('of the keys that a name and a kind leave over there must be exactly one (SMART 338)', async () => {
  expect(await verifyJws(jws(), [jwkOf(key)], smart)).toBe('verified')
  expect(await verifyJws(jws(), [jwkOf(rsaNamesake), jwkOf(key)], smart)).toBe('verified')
  expect(await verifyJws(jws(), [jwkOf(key), jwkOf(namesake)], smart)).toBe('key_ambiguous')
  expect(await verifyJws(jws(), [jwkOf(key), jwkOf(key)], smart)).toBe('key_ambiguous')
  expect(await verifyJws(jws(), [jwkOf(rsaNamesake)], smart)).toBe('key_unknown')
  expect(await verifyJws(jws(), [], smart)).toBe('key_unknown')
  expect(await verifyJws(jws(), [jwkOf(namesake)], smart)).toBe('signature_wrong')
})

test.each([
  ['for encryption', { use: 'enc' }],
  ['for signing only', { key_ops: ['sign'] }],
  ['for another algorithm', { alg: 'ES256' }],
  ['on another curve', { crv: 'P-256' }],
  ['of a point that is not on its curve', { y: base64Url(new Uint8Array(48).fill(1)) }],
])('a key that is %s verifies nothing', async (_, more) => {
  expect(await verifyJws(jws(), [jwkOf(key, more)], smart)).toBe('key_unfit')
})

test('two texts are never one signature: spare bits of base64url are refused', () => {
  const [header = '', payload = '', signature = ''] = text.split('.')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const part of [header, payload].filter(({ length }) => length % 4 !== 0)) {
    const next = alphabet[alphabet.indexOf(part.at(-1) ?? '') + 1] ?? ''
    const altered = part.slice(0, -1) + next
    expect(
      readJws([part === header ? altered : header, part === payload ? altered : payload, signature].join('.'), 8_192),
    ).toBeUndefined()
  }
  expect(readJws(text, text.length - 1)).toBeUndefined()
})
