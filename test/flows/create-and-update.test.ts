import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin, type Admin, type Told } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'

let house: House
let admin: Admin
let token: string
beforeAll(async () => {
  house = await openHouse()
  admin = await openAdmin(house)
  token = await admin.token({ name: 'Ada Moreno', roles: ['licensing'] })
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

const someOf = <T>(...all: readonly T[]) => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 })
const day = fc.constantFrom('2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z')

/** Grants of which many are wrong: names that are not there, rights that overlap, an evaluation that treats. */
const grants = fc.record({
  plan: fc.constantFrom('standard', 'standard', 'standard', 'gold'),
  term: fc.record({ start: day, end: day, graceDays: fc.constantFrom(0, 14) }),
  evaluation: fc.boolean(),
  entitlements: fc.array(
    fc.record(
      {
        model: fc.constantFrom('scribe', 'scribe', 'ecg-low-ef', 'scrib'),
        versions: fc.constantFrom('1.0.0', '>=1.0.0 <2.0.0', '3.0.0'),
        pin: fc.constantFrom('1.0.0', '1.1.0', '3.0.0'),
        audiences: someOf('clinician', 'patient'),
        purposes: someOf('TREAT', 'HQUALIMP', 'HRESCH'),
        facilities: someOf('only', 'elsewhere'),
      },
      { requiredKeys: ['model', 'versions', 'pin', 'audiences', 'purposes'] },
    ),
    { minLength: 1, maxLength: 2 },
  ),
  rates: fc.record({ requestsPerMinute: fc.constantFrom(60, 600), concurrency: fc.constantFrom(8, -1) }),
  budgets: fc.array(
    fc.record({
      meter: fc.constant('tokens'),
      limit: fc.constantFrom(1000, 2000),
      per: fc.constantFrom('month', 'day', 'week'),
      overage: fc.constantFrom('deny', 'allow'),
    }),
    { maxLength: 2 },
  ),
  residency: someOf('us-east', 'eu-west'),
  privacy: fc.constant({ clinician: 'pass' }),
})

/** What speaks against it, and where. */
const verdict = ({ status, body }: Told): readonly string[] =>
  status < 300 ? ['accepted'] : body.errors.map(({ reason, pointer }) => `${reason} ${pointer}`).toSorted()

test('what may not be granted may not be amended into being, nor the other way round', async () => {
  let made = 0
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(grants, async (grant) => {
      const created = await admin.ask('POST /tenants/prairie/licenses', {
        token,
        body: { grant: { license: `LIC-PROPERTY-${made++}`, ...grant }, draft: true },
      })
      const current = await admin.ask('GET /licenses/LIC-PRAIRIE', { token })
      const amended = await admin.ask('POST /licenses/LIC-PRAIRIE/amend', {
        token,
        body: { grant: { license: 'LIC-PRAIRIE', ...grant } },
        ifMatch: current.headers.get('etag') ?? '',
      })
      const same = amended.body.reason === 'nothing_changes' ? ['accepted'] : verdict(amended)
      for (const one of same) seen.add(one.split(' ')[0] ?? '')
      expect(same).toEqual(verdict(created))
    }),
    { numRuns: 150, seed: 20261128 },
  )
  // A run in which nothing was refused, or nothing accepted, would prove nothing.
  expect([...seen]).toEqual(expect.arrayContaining(['accepted', 'declaration_refused']))
}, 120_000)
