import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import type { Principal } from '../../src/identity/index.ts'
import { instant, plusDays, plusMs, type Instant } from '../../src/kernel/index.ts'
import {
  actOnLicense,
  amendLicense,
  attest,
  knownBy,
  licenseAsOf,
  loadLicenses,
  type LicenseFacts,
  type LicenseGrant,
} from '../../src/licensing/index.ts'
import { decideUse, type Decision, type ModelFacts } from '../../src/policy/index.ts'
import { declareTree, openTestDatabase, reviewed, tester } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'
import { principalOf } from './world.ts'

let databases: TestDatabase
let database: Database
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
})
afterAll(async () => {
  await database?.close()
  await databases?.drop()
})

const amendments = 50
const decisions = 100_000
const license = 'LIC-LAKESIDE'

const load = (): Promise<LicenseFacts> =>
  systemTransaction(database, 'administer', async (tx) => {
    const found = (await loadLicenses(tx, 'all')).find((facts) => facts.license === license)
    if (found === undefined) throw new Error('the license is gone')
    return found
  })

const model: ModelFacts = {
  model: 'scribe',
  protocol: 'openai',
  versions: new Map(
    ['1.0.0', '1.1.0', '2.0.0'].map((version) => [
      version,
      {
        version,
        stage: 'licensed' as const,
        contextTokens: 1,
        outputTokens: 1,
        recalledAt: undefined,
        regions: new Set(['us-east']),
      },
    ]),
  ),
}

interface Asked {
  readonly at: Instant
  readonly model: string
  readonly purpose: string | undefined
  readonly facility: string | undefined
}

const decideOn = (facts: LicenseFacts, principal: Principal, { at, ...asked }: Asked): Decision =>
  decideUse(
    {
      findLicenses: () => [facts],
      findModel: (name) => (name === 'scribe' ? model : undefined),
      askPolicies: () => ({ outcome: 'permit', policies: ['licensed-use'] }),
    },
    principal,
    { ...asked, operation: 'chat', at },
    { id: '0190a0e0-0000-7000-8000-000000000003', now: at },
  )

test('after fifty random amendments, a hundred thousand past decisions are made again as they were', async () => {
  await declareTree(database, 'http://model-host.test')
  const next = seeded(20261127)
  const pick = <T>(values: readonly [T, ...T[]]): T => values[Math.floor(next() * values.length)] ?? values[0]
  /** What was known from when on, as a gateway had it. */
  const known: { readonly from: Instant; readonly facts: LicenseFacts }[] = []
  const began = instant(Date.now())
  known.push({ from: began, facts: await load() })

  let now = began
  let done = 0
  for (let index = 0; done < amendments && index < 500; index++) {
    now = plusMs(now, 1 + Math.floor(next() * 20 * 86_400_000))
    const by = reviewed(now)
    const changed = await systemTransaction(database, 'administer', async (tx) => {
      const kind = next()
      if (kind < 0.15) {
        const state = licenseAsOf(await load(), { at: now, knownAt: now })?.state.state
        const act = state === 'suspended' ? 'resume' : 'suspend'
        const until = act === 'suspend' && next() < 0.5 ? plusDays(now, 5) : undefined
        return actOnLicense(tx, { license, act, reason: 'a test', until, actor: tester, now })
      }
      if (kind < 0.25)
        return attest(tx, {
          license,
          kind: 'training',
          attestedAt: now,
          validUntil: plusDays(now, 30),
          actor: tester,
          now,
        })
      const isCorrection = next() < 0.2
      return amendLicense(
        tx,
        {
          license,
          isCorrection,
          effectiveAt: plusDays(now, isCorrection ? -pick([0.5, 3, 40]) : pick([0, 0, 2, 30])),
          change: (grant) => amended(grant, next),
        },
        by,
      )
    })
    if (changed.ok) done++
    known.push({ from: now, facts: await load() })
  }
  expect(done).toBe(amendments)

  const principal = await principalOf({ audience: 'clinician', kind: 'health-system', scopes: ['chat'] })
  const facts = await load()
  const end = plusDays(now, 60)
  const differing: string[] = []
  const outcomes = { permit: 0, deny: 0 }
  const revisions = new Set<number | undefined>()
  for (let index = 0; index < decisions; index++) {
    const asked: Asked = {
      at: instant(Math.floor(began + next() * (end - began))),
      model: pick(['scribe', 'scribe@1.1.0', 'scribe@2.0.0', 'scribe@9.9.9']),
      purpose: pick([undefined, 'TREAT', 'HOPERAT', 'HPAYMT']),
      facility: pick([undefined, 'general', 'north']),
    }
    const then = known.findLast(({ from }) => from <= asked.at)
    if (then === undefined) throw new Error('nothing was known yet')
    const made = decideOn(then.facts, principal, asked)
    const again = decideOn(knownBy(facts, asked.at), principal, asked)
    outcomes[made.outcome]++
    revisions.add(made.revision)
    const said = ({ outcome, code, reasons, revision }: Decision) => JSON.stringify([outcome, code, reasons, revision])
    if (said(made) !== said(again) && differing.length < 5)
      differing.push(`${JSON.stringify(asked)}: ${said(again)} instead of ${said(made)}`)
  }
  expect(differing).toEqual([])
  // They were decided both ways, and by many revisions: what is compared is not one answer.
  expect(Math.min(outcomes.permit, outcomes.deny)).toBeGreaterThan(decisions / 20)
  expect(revisions.size).toBeGreaterThan(15)
  console.log(`${decisions} decisions made again: ${JSON.stringify(outcomes)}, by ${revisions.size} revisions`)
})

/** Something else than before. */
function amended(grant: LicenseGrant, next: () => number): LicenseGrant {
  const [first, ...others] = grant.terms.entitlements
  if (first === undefined) throw new Error('a license without entitlements')
  const terms = (more: Partial<LicenseGrant['terms']>) => ({ ...grant, terms: { ...grant.terms, ...more } })
  const kind = Math.floor(next() * 6)
  switch (kind) {
    case 0:
      return { ...grant, graceDays: Math.floor(next() * 60) }
    case 1:
      return terms({ residency: next() < 0.3 ? ['eu-west'] : ['us-east', `us-${Math.floor(next() * 1e6)}`] })
    case 2:
      return terms({
        entitlements: [{ ...first, purposes: next() < 0.5 ? ['TREAT'] : ['TREAT', 'HOPERAT'] }, ...others],
      })
    case 3:
      return terms({ entitlements: [{ ...first, pin: next() < 0.5 ? '1.0.0' : '1.1.0' }, ...others] })
    case 4: {
      const facilities = next() < 0.5 ? ['general'] : ['general', 'north']
      return terms({ entitlements: [{ ...first, facilities }, ...others] })
    }
    default:
      return terms({ rates: { requestsPerMinute: 1 + Math.floor(next() * 1000) } })
  }
}
