import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleWorker, type Bundle } from '../../runtime/workerd.ts'
import { openWorkerd } from '../../runtime/runtimes.ts'
import { openHouse, type HouseOptions } from '../../support/house.ts'
import type { Log } from '../../../src/kernel/index.ts'
import { dpopCases } from './dpop-cases.ts'
import { renderResults } from './render-results.ts'
import { notOurs, requirements, testsByRequirement, vectorsFor } from './requirements.ts'
import { vectorFiles } from './make-vectors.ts'
import { readVectors, registeredKeys, runVectors, type Outcome } from './run-vectors.ts'

const clients = { smart: 'lakeside.ehr', fapi2: 'lakeside.portal' } as const

/** The two clients that the vectors need. */
async function declaredClients(): Promise<NonNullable<HouseOptions['replace']>> {
  const declared = async (profile: 'smart' | 'fapi2') =>
    JSON.stringify({ profile, jwks: { keys: await registeredKeys(profile) } })
  const [smart, fapi2] = [await declared('smart'), await declared('fapi2')]
  return {
    'lakeside/tenant.yaml': (text) =>
      text
        .replace('scopes: [chat, embeddings] }', `scopes: [chat, embeddings], client: ${smart} }`)
        .replace('scopes: [chat] }', `scopes: [chat], client: ${fapi2} }`),
  }
}

/** Writes down what the token service says of each request. */
const listening = (said: string[]): Log => ({
  info(event, facts) {
    if (event === 'oauth.granted') said.push('granted')
    if (event === 'oauth.refused') said.push(String(facts?.['reasons']))
  },
  warn() {},
  error: (event) => void said.push(event),
})

const failuresOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap(({ vector, failure }) => (failure === undefined ? [] : [`${vector.id}: ${failure}`]))

test('the files are what the generator makes, and each name stands once', async () => {
  const vectors = await readVectors()
  const made = JSON.parse(JSON.stringify(vectorFiles.flatMap((file) => file.vectors)))
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
  expect(vectors.toSorted(byId)).toEqual(made.toSorted(byId))
  expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length)
  expect(vectors.filter(({ kind }) => kind === 'refused').length).toBeGreaterThanOrEqual(75)
})

test('each server SHALL has a vector or a test that carries its number, or a reason why it is not ours', async () => {
  const vectors = await readVectors()
  const tests = testsByRequirement()
  const isHeld = (id: number) => vectorsFor(vectors, id).length > 0 || tests.has(id)
  expect(requirements.filter(({ id }) => isHeld(id) === notOurs.has(id)).map(({ id }) => id)).toEqual([])
})

test('each DPoP case of the OpenID FAPI 2 suite has a vector that expects the same', async () => {
  const byId = new Map((await readVectors()).map((vector) => [vector.id, vector]))
  const lastOf = (id: string) => byId.get(id)?.steps.at(-1)?.expect.status
  const differing = dpopCases.filter(
    ([, expected, id]) => String(lastOf(id)) !== (expected === 'opens' ? '200' : '401'),
  )
  expect(differing).toEqual([])
  expect([dpopCases.length, new Set(dpopCases.map(([, , id]) => id)).size]).toEqual([32, 32])
})

test('every vector is as it should be on Node', { timeout: 120_000 }, async () => {
  const said: string[] = []
  const house = await openHouse({
    // An address whose port is that of its scheme, as in production.
    environment: { PUBLIC_URL: 'https://gateway.example' },
    replace: await declaredClients(),
    log: listening(said),
  })
  try {
    const reasons = new Map<string, string>()
    const outcomes = await runVectors({ url: house.url, clients, resource: '/v1/models' }, ({ vector }) =>
      reasons.set(vector.id, said.splice(0).join(', then ')),
    )
    expect(failuresOf(outcomes)).toEqual([])
    // That each is refused for its own reason, and not for another's, is seen in the log alone.
    await expect(renderResults(await readVectors(), testsByRequirement(), reasons)).toMatchFileSnapshot('./RESULTS.md')
  } finally {
    await house.stop()
  }
})

describe('on Workers', () => {
  let bundle: Bundle
  beforeAll(async () => {
    bundle = await bundleWorker()
  }, 120_000)
  afterAll(() => bundle.remove())

  test('every vector is as it should be', { timeout: 240_000 }, async () => {
    const worker = await openWorkerd(bundle, { PUBLIC_URL: 'https://gateway.example' }, await declaredClients())
    try {
      expect(failuresOf(await runVectors({ url: worker.url, clients, resource: '/v1/models' }))).toEqual([])
    } finally {
      await worker.stop()
    }
  })
})
