import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadAuditEntries } from '../../src/audit/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import type { Actor } from '../../src/identity/index.ts'
import { instant, plusDays } from '../../src/kernel/index.ts'
import {
  actOnLicense,
  amendLicense,
  attest,
  grantLicense,
  grantOf,
  loadLicenses,
  renewLicense,
  transferLicense,
  type Deciders,
  type DirectAct,
  type LicenseGrant,
} from '../../src/licensing/index.ts'
import { openHouse, reviewed, tester, type House } from '../support/house.ts'
import { readBudget, until } from '../support/ledger.ts'

/** A license from draft to end, as its holder's calls meet it. */
let house: House
beforeAll(async () => {
  house = await openHouse({
    replace: {
      'lakeside/license.yaml': (text) =>
        text.replace(
          '{ meter: tokens, limit: 1000000000, per: month, overage: deny }',
          '{ meter: requests, limit: 10, per: month, overage: deny }',
        ) + 'breakGlass: { percent: 20 }\n',
    },
  })
})
afterAll(() => house?.stop())

const call = async (application: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.key(application)}`, ...headers },
    body: JSON.stringify({ model: 'scribe', max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }),
  })
  const code = /"code":"([a-z_]+)"/.exec(await response.text())?.[1]
  return response.status === 200 ? 'answered' : code
}
const trial = () => call('prairie/trial')

const nora: Actor = { kind: 'person', name: 'nora', roles: ['licensing'], tenantId: undefined }
const omar: Actor = { kind: 'person', name: 'omar', roles: ['licensing'], tenantId: undefined }
const alone = (actor: Actor): Deciders => ({ actor, approvedBy: undefined, now: instant(Date.now()) })

const administer = <T>(work: Parameters<typeof systemTransaction<T>>[2]) =>
  systemTransaction(house.database, 'administer', work)
const act = (license: string, name: DirectAct, actor = tester) =>
  administer((tx) =>
    actOnLicense(tx, { license, act: name, reason: 'a test', until: undefined, actor, now: instant(Date.now()) }),
  )
const grantNow = (license: string): Promise<LicenseGrant> =>
  administer(async (tx) => {
    const facts = (await loadLicenses(tx, 'all')).find((one) => one.license === license)
    const last = facts?.revisions.at(-1)
    if (facts === undefined || last === undefined) throw new Error(`there is no ${license}`)
    return grantOf(facts, last)
  })
const becomes = (application: string, outcome: string) =>
  until(`${application} gets ${outcome}`, 5_000, async () => (await call(application)) === outcome)

const entries = (action: string) =>
  administer((tx) =>
    loadAuditEntries(tx, {
      tenantId: undefined,
      action,
      from: instant(Date.now() - 3_600_000),
      to: instant(Date.now() + 60_000),
      limit: 1000,
    }),
  )

test('when a budget ends in the middle of a shift, treatment goes on up to the cap, entered and counted apart', async () => {
  const outcomes: (string | undefined)[] = []
  for (let index = 0; index < 13; index++) outcomes.push(await call('lakeside/ehr'))
  expect(outcomes).toEqual([...Array.from({ length: 12 }, () => 'answered'), 'insufficient_quota'])
  // What is no treatment stops where the budget does.
  expect(await call('lakeside/ehr', { 'formulary-purpose-of-use': 'HOPERAT' })).toBe('insufficient_quota')
  expect(await readBudget(house.database, 'requests/month')).toMatchObject({ used: 10n })
  expect(await readBudget(house.database, 'requests/month/break-glass')).toMatchObject({ used: 2n })
  await until('both are entered', 5_000, async () => (await entries('call.break-glass')).length === 2)
  expect((await entries('call.break-glass'))[0]).toMatchObject({
    agent: { kind: 'application', name: 'ehr' },
    entity: { type: 'model', id: 'scribe' },
    facts: { budgets: ['requests/month'], operation: 'chat' },
  })
})

test('a call that was refused is entered with every reason, and with nothing that its caller wrote', async () => {
  const before = (await entries('call.refuse')).length
  await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await house.key('lakeside/portal')}`,
      'formulary-purpose-of-use': 'canary-purpose',
    },
    body: JSON.stringify({ model: 'canary-model', messages: [{ role: 'user', content: 'canary-content' }] }),
  })
  await until('it is entered', 5_000, async () => (await entries('call.refuse')).length === before + 1)
  const entry = (await entries('call.refuse')).at(-1)
  expect(entry).toMatchObject({
    agent: { kind: 'application', name: 'portal' },
    entity: { type: 'model', id: 'unknown' },
    outcome: 'refused',
    reason: 'model_not_found',
    facts: { reasons: ['model_not_found'] },
  })
  expect(JSON.stringify(entry)).not.toContain('canary')
})

test('a draft grants nothing until somebody else activates it', async () => {
  expect(await trial()).toBe('answered')
  await act('LIC-PRAIRIE', 'terminate')
  await becomes('prairie/trial', 'license_expired')
  const grant = { ...(await grantNow('LIC-PRAIRIE')), license: 'LIC-PRAIRIE-2' }
  const drafted = await administer((tx) => grantLicense(tx, { tenant: 'prairie', grant, isDraft: true }, alone(nora)))
  expect(drafted.ok).toBe(true)
  await becomes('prairie/trial', 'license_not_started')
  expect(await act('LIC-PRAIRIE-2', 'activate', { ...nora, name: 'Nora' })).toMatchObject({
    error: { reason: 'drafter_cannot_activate' },
  })
  expect(await act('LIC-PRAIRIE-2', 'activate', omar)).toMatchObject({ value: { state: { state: 'active' } } })
  await becomes('prairie/trial', 'answered')
})

const amend = (license: string, change: (grant: LicenseGrant) => LicenseGrant, by: Deciders) =>
  administer((tx) => amendLicense(tx, { license, change, effectiveAt: by.now, isCorrection: false }, by))
const wider = (grant: LicenseGrant): LicenseGrant => ({ ...grant, graceDays: 30 })

test('whatever widens a license needs two people, on every way; what narrows it needs one', async () => {
  const license = 'LIC-PRAIRIE-2'
  for (const by of [alone(nora), { ...alone(nora), approvedBy: nora }])
    expect(await amend(license, wider, by)).toMatchObject({
      error: [{ reason: 'second_person_needed', widens: ['30 days of grace instead of 0'] }],
    })
  const renewal = { license, end: plusDays(instant(Date.now()), 5_000), plan: undefined }
  expect(await administer((tx) => renewLicense(tx, renewal, alone(nora)))).toMatchObject({
    error: [{ reason: 'second_person_needed' }],
  })
  expect((await amend(license, wider, { ...alone(nora), approvedBy: omar })).ok).toBe(true)
  expect((await amend(license, (grant) => ({ ...grant, graceDays: 3 }), alone(nora))).ok).toBe(true)
  expect(await trial()).toBe('answered')
})

test('an attestation that is overdue stops calls, and one that is given lets them through', async () => {
  const license = 'LIC-PRAIRIE-2'
  const due = new Date(Date.now() - 1_000).toISOString()
  await amend(
    license,
    (grant) => ({ ...grant, terms: { ...grant.terms, attestations: [{ kind: 'training', due }] } }),
    alone(nora),
  )
  await becomes('prairie/trial', 'attestation_overdue')
  const now = instant(Date.now())
  await administer((tx) =>
    attest(tx, { license, kind: 'training', attestedAt: now, validUntil: plusDays(now, 365), actor: nora, now }),
  )
  await becomes('prairie/trial', 'answered')
})

test('a transfer ends one license and starts another, both or neither', async () => {
  const wish = { license: 'LIC-PRAIRIE-2', toTenant: 'lakeside', toLicense: 'LIC-NEW', reason: 'merger' }
  expect(await administer((tx) => transferLicense(tx, wish, alone(nora)))).toMatchObject({
    error: [{ reason: 'second_person_needed' }],
  })
  expect(await trial()).toBe('answered')
  const moved = await administer((tx) => transferLicense(tx, wish, reviewed()))
  expect(moved).toMatchObject({ value: { license: 'LIC-NEW', tenant: 'lakeside', revision: 1 } })
  await becomes('prairie/trial', 'license_expired')
  expect(await act('LIC-PRAIRIE-2', 'resume')).toMatchObject({ error: { reason: 'license_over' } })
})
