import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { err, ok, type Log, type Result } from '../kernel/index.ts'
import type { ClientFacts } from './client.ts'
import { KeySets, secondsToKeep, type FetchedKeySet, type FetchRefusal } from './key-sets.ts'

const jwk = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }),
  kid,
})
const first = jwk('first')
const second = jwk('second')
const tenant = {
  tenantId: '0190a0e0-0000-7000-8000-000000000001',
  tenant: 'a',
  kind: 'hospital',
  endedAt: undefined,
} as const
const clientAt = (url: string): ClientFacts => ({
  clientId: `a.${new URL(url).host}`,
  tenant,
  application: {
    application: 'b',
    audience: 'clinician',
    facilities: [],
    purposes: [],
    scopes: [],
    endedAt: undefined,
  },
  profile: 'smart',
  senderConstraint: undefined,
  certificates: [],
  keys: { url },
  revision: 1,
  endedAt: undefined,
  revokedTokens: new Set(),
})
const client = clientAt('https://one.example/jwks')

type Answered = Result<FetchedKeySet, FetchRefusal> | Promise<Result<FetchedKeySet, FetchRefusal>>
const published = (keys: readonly object[], cacheControl?: string): Answered =>
  ok({ text: JSON.stringify({ keys }), cacheControl })

/** Key sets over an address book whose answers a test chooses, and a clock that it moves. */
function world(answer: (url: string) => Answered) {
  const fetched: { url: string; atMs: number }[] = []
  const warned: unknown[] = []
  const log: Log = { info() {}, warn: (_event, facts) => void warned.push(facts?.['why']), error() {} }
  const clock = { nowMs: 1_000_000 }
  const known = new Map()
  const sets = () =>
    new KeySets({
      known,
      fetchKeySet: async (url) => {
        fetched.push({ url, atMs: clock.nowMs })
        return answer(url)
      },
      log,
      monotonicMs: () => clock.nowMs,
      wait: async (ms) => void (clock.nowMs += ms),
    })
  const one = sets()
  return {
    clock,
    fetched,
    warned,
    sets: one,
    /** Over the same memory, as another request on Workers. */
    anew: sets,
    kids: async (kid = 'first', of = client) => (await one.find(of, kid))?.map((key) => key.kid),
  }
}

test('a set is kept as long as its client says, and not longer (SMART 341, SMART 342)', async () => {
  const { kids, clock, fetched } = world(() => published([first], 'max-age=60'))
  expect(await kids()).toEqual(['first'])
  clock.nowMs += 59_999
  expect(await kids()).toEqual(['first'])
  expect(fetched).toHaveLength(1)
  clock.nowMs += 1
  await kids()
  expect(fetched).toHaveLength(2)
})

test.each([
  ['max-age=60', 60],
  ['public, max-age="60"', 60],
  ['max-age=31536000', 3_600],
  ['max-age=99999999999999999999', 300],
  ['max-age=0', 0],
  ['no-store', 0],
  ['no-cache, max-age=60', 0],
  ['max-age=60, max-age=10', 10],
  ['private', 300],
  ['max-age=abc', 300],
  ['max-age=-1', 300],
  [undefined, 300],
])('Cache-Control %j is kept for %d seconds (SMART 341)', (header, seconds) => {
  expect(secondsToKeep(header)).toBe(seconds)
})

test('a client that lets nothing be kept is asked once a second, however many ask', async () => {
  const { kids, clock, fetched } = world(() => published([first], 'no-store'))
  const began = clock.nowMs
  for (let round = 0; round < 3; round++)
    expect(await Promise.all([kids(), kids(), kids()])).toEqual([['first'], ['first'], ['first']])
  expect(fetched.map(({ atMs }) => atMs - began)).toEqual([0, 1_000, 2_000])
})

test('an unknown kid is looked for once, and then not again for five seconds', async () => {
  let keys = [first]
  const { kids, clock, fetched } = world(() => published(keys, 'max-age=3600'))
  expect(await kids('second')).toEqual(['first'])
  expect(await kids('second')).toEqual(['first'])
  expect(fetched).toHaveLength(2)
  keys = [first, second]
  expect(await kids('second')).toEqual(['first'])
  // The look itself waited a second.
  clock.nowMs += 3_999
  expect(await kids('second')).toEqual(['first'])
  clock.nowMs += 1
  expect(await kids('second')).toEqual(['first', 'second'])
  expect(fetched).toHaveLength(3)
})

test('a rotated key works at once', async () => {
  let keys = [first]
  const { kids, fetched } = world(() => published(keys, 'max-age=3600'))
  await kids()
  keys = [second]
  expect(await kids('second')).toEqual(['second'])
  expect(fetched).toHaveLength(2)
})

test('a failure is remembered for ten seconds, and nothing stale is used instead', async () => {
  let answer = published([first], 'max-age=1')
  const { kids, clock, fetched, warned } = world(() => answer)
  expect(await kids()).toEqual(['first'])
  answer = err('status_not_ok')
  clock.nowMs += 1_000
  expect(await kids()).toBeUndefined()
  answer = published([first], 'max-age=1')
  clock.nowMs += 9_999
  expect(await kids()).toBeUndefined()
  expect(fetched).toHaveLength(2)
  clock.nowMs += 1
  expect(await kids()).toEqual(['first'])
  expect(warned).toEqual(['status_not_ok'])
})

test('a client whose address hangs keeps no other waiting', async () => {
  const never = new Promise<Result<FetchedKeySet, FetchRefusal>>(() => {})
  const { kids } = world((url) => (url.includes('hangs') ? never : published([first])))
  void kids('first', clientAt('https://hangs.example/jwks'))
  expect(await kids()).toEqual(['first'])
})

test.each([
  ['a private key', JSON.stringify({ keys: [first, { ...second, d: 'AAAA' }] }), 'private_key_published'],
  ['a secret', JSON.stringify({ keys: [{ kty: 'oct', kid: 'x', k: 'AAAA' }] }), 'private_key_published'],
  ['no JSON', '<html>', 'set_malformed'],
  ['a list', '[]', 'set_malformed'],
  ['keys that are no objects', '{"keys":["x"]}', 'set_malformed'],
  ['too many keys', JSON.stringify({ keys: Array.from({ length: 101 }, () => first) }), 'set_malformed'],
])('a set with %s is refused whole', async (_, text, why) => {
  const { kids, warned } = world(() => ok({ text, cacheControl: undefined }))
  expect(await kids()).toBeUndefined()
  expect(warned).toEqual([why])
})

test('keys of another kind, and keys without a name, are passed over', async () => {
  const unnamed = Object.fromEntries(Object.entries(first).filter(([name]) => name !== 'kid'))
  const { kids } = world(() => published([{ kty: 'PQ', kid: 'new' }, unnamed, second]))
  expect(await kids('second')).toEqual(['second'])
})

test('another address begins anew', async () => {
  const { kids, fetched } = world(() => published([first], 'max-age=60'))
  await kids()
  const moved = { ...client, keys: { url: 'https://two.example/jwks' } }
  await kids('first', moved)
  expect(fetched.map(({ url }) => url)).toEqual(['https://one.example/jwks', 'https://two.example/jwks'])
})

test('on Workers what one request has found is known to the next', async () => {
  const { kids, anew, fetched } = world(() => published([first], 'max-age=60'))
  await kids()
  expect((await anew().find(client, 'first'))?.length).toBe(1)
  expect(fetched).toHaveLength(1)
})
