import { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testTree } from '../support/declarations.ts'
import { openAdmin, type Admin } from '../support/admin.ts'
import { callChat } from '../support/model-call.ts'
import { openHouse, type House } from '../support/house.ts'

const agent = new Agent()
const callWith = async (key: string) => (await callChat(agent, house.url, { key, stream: false })).status

let house: House
let admin: Admin
let ada: string
let ben: string
beforeAll(async () => {
  house = await openHouse()
  admin = await openAdmin(house)
  ada = await admin.token({ name: 'Ada Moreno', roles: ['licensing'] })
  ben = await admin.token({ name: 'Ben Okafor', roles: ['licensing'] })
})
afterAll(async () => {
  await agent.destroy()
  await admin.stop()
  await house.stop()
})

const grantOf = (license: string, change: object = {}) => ({
  license,
  plan: 'standard',
  term: { start: '2026-01-01T00:00:00Z', end: '2027-01-01T00:00:00Z', graceDays: 14 },
  entitlements: [
    { model: 'scribe', versions: '1.0.0', pin: '1.0.0', audiences: ['clinician'], purposes: ['HQUALIMP'] },
  ],
  rates: { requestsPerMinute: 600 },
  budgets: [],
  residency: ['us-east'],
  privacy: { clinician: 'pass' },
  ...change,
})

describe('the tree of declarations', () => {
  const tree = (change: Readonly<Record<string, (text: string) => string>> = {}) =>
    Object.fromEntries(
      Object.entries(testTree).map(([path, text]) => [
        path,
        (change[path] ?? ((same: string) => same))(text).replaceAll('MODEL-HOST', house.host.url),
      ]),
    )

  test('is planned, and applied as the plan that was read', async () => {
    const renamed = tree({
      'lakeside/tenant.yaml': (text) => text.replace('Lakeside North', 'Lakeside Northeast'),
    })
    const planned = await admin.ask('POST /declarations/plan', { token: ada, body: { tree: renamed } })
    expect(planned.status).toBe(200)
    expect(planned.body.text).toContain('Lakeside North → Lakeside Northeast')
    const other = await admin.ask('POST /declarations/apply', {
      token: ada,
      body: { tree: renamed, plan_digest: 'of another plan' },
    })
    expect(other).toMatchObject({ status: 409, body: { reason: 'another_plan' } })
    const applied = await admin.ask('POST /declarations/apply', {
      token: ada,
      body: { tree: renamed, plan_digest: planned.body.plan_digest },
    })
    expect(applied).toMatchObject({ status: 200, body: { changes: [{ what: 'facility' }] } })
    const sites = await admin.ask('GET /tenants/lakeside/facilities', { token: ada })
    expect(sites.body.data).toMatchObject([{ name: 'Lakeside General' }, { name: 'Lakeside Northeast' }])
  })

  test('that allows more than before is applied when a second person has read it', async () => {
    const wider = tree({
      'prairie/license.yaml': (text) => text.replace('concurrency: 10000', 'concurrency: 10001'),
    })
    const planned = await admin.ask('POST /declarations/plan', { token: ada, body: { tree: wider } })
    expect(planned.body.widening).toMatchObject([{ license: 'LIC-PRAIRIE' }])
    const asked = await admin.ask('POST /declarations/apply', {
      token: ada,
      body: { tree: wider, plan_digest: planned.body.plan_digest },
    })
    expect(asked.status).toBe(202)
    const path = `POST /change-requests/${asked.body.change_request}/approve`
    expect(await admin.ask(path, { token: ben, body: { reason: 'read' } })).toMatchObject({ status: 200 })
    const seen = await admin.ask('GET /licenses/LIC-PRAIRIE', { token: ada })
    expect(seen.body.grant.rates.concurrency).toBe(10_001)
  })

  test('that does not hold together is refused with file and line', async () => {
    const wrong = tree({ 'prairie/license.yaml': (text) => text.replace('plan: standard', 'plan: standart') })
    const told = await admin.ask('POST /declarations/plan', { token: ada, body: { tree: wrong } })
    expect(told).toMatchObject({ status: 422, body: { reason: 'declaration_refused' } })
    expect(told.body.errors[0]).toMatchObject({
      message: expect.stringMatching(/^prairie\/license\.yaml:2:7 /),
      pointer: '/tree/prairie~1license.yaml',
    })
  })
})

describe('tenants and keys', () => {
  test('are listed page by page, and a key that was made calls the model', async () => {
    const first = await admin.ask('GET /tenants?limit=2', { token: ada })
    expect(first.status).toBe(200)
    expect(first.body.data.map(({ tenant }) => tenant)).toEqual(['clinic', 'lakeside'])
    const second = await admin.ask(`GET /tenants?limit=2&after=${first.body.next}`, { token: ada })
    expect(second.body).toMatchObject({ data: [{ tenant: 'prairie' }], next: null })

    const made = await admin.ask('POST /tenants/lakeside/applications/ehr/keys', { token: ada, body: { days: 7 } })
    expect(made.status).toBe(201)
    expect(await callWith(made.body.key)).toBe(200)
    const revoked = await admin.ask(`POST /keys/${made.body.key_id}/revoke`, { token: ada, body: { reason: 'a test' } })
    expect(revoked.status).toBe(200)
    await expect.poll(() => callWith(made.body.key)).toBe(401)
  })

  test('the same creation sent twice makes one key, shown once; another under its name is refused', async () => {
    const wish = { token: ada, body: { days: 7 }, idempotencyKey: 'one key' }
    const path = 'POST /tenants/lakeside/applications/portal/keys'
    const all = await Promise.all([1, 2, 3].map(() => admin.ask(path, wish)))
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(new Set(all.map(({ body }) => body.key_id)).size).toBe(1)
    expect(all.filter(({ body }) => body.key !== null)).toHaveLength(1)
    const other = await admin.ask(path, { ...wish, body: { days: 8 } })
    expect(other).toMatchObject({ status: 422, body: { reason: 'idempotency_key_reused' } })
    const missing = await admin.ask(path, { ...wish, idempotencyKey: '' })
    expect(missing).toMatchObject({ status: 400, body: { reason: 'idempotency_key_missing' } })
  })
})

describe('a request that is wrong', () => {
  test.each([
    ['no JSON', '{', 400, 'json_broken'],
    ['a member that nobody reads', { reason: 'x', because: 'y' }, 400, 'invalid_request'],
    ['a member that is missing', {}, 400, 'invalid_request'],
  ])('%s is a problem with its place', async (_, body, status, reason) => {
    const told = await admin.ask('POST /licenses/LIC-PRAIRIE/suspend', { token: ada, body })
    expect(told).toMatchObject({ status, body: { reason, status, type: `urn:formulary:problem:${reason}` } })
    expect(told.headers.get('content-type')).toBe('application/problem+json')
  })

  test('a grant says where it is wrong, as a file of the declarations does', async () => {
    const grant = grantOf('LIC-WRONG', { plan: 'standart', residency: ['eu-west'] })
    const told = await admin.ask('POST /tenants/prairie/licenses', { token: ada, body: { grant } })
    expect(told.status).toBe(422)
    expect(told.body.errors).toEqual([
      expect.objectContaining({ pointer: '/grant/plan', advice: expect.stringContaining('standard') }),
      expect.objectContaining({ pointer: '/grant/residency' }),
    ])
  })
})

describe('a license', () => {
  test('is drafted by one and activated by another, amended with care, and suspended at once', async () => {
    const drafted = await admin.ask('POST /tenants/prairie/licenses', {
      token: ada,
      body: { grant: grantOf('LIC-NEW') },
    })
    expect(drafted).toMatchObject({ status: 201, body: { license: 'LIC-NEW', state: { state: 'draft' } } })
    const etag = drafted.headers.get('etag') ?? ''
    const activation = { body: { reason: 'signed' }, ifMatch: etag }
    expect(await admin.ask('POST /licenses/LIC-NEW/activate', { token: ada, ...activation })).toMatchObject({
      status: 409,
      body: { reason: 'drafter_cannot_activate' },
    })
    const unguarded = await admin.ask('POST /licenses/LIC-NEW/activate', { token: ben, body: { reason: 'signed' } })
    expect(unguarded).toMatchObject({ status: 428, body: { reason: 'if_match_missing' } })
    const active = await admin.ask('POST /licenses/LIC-NEW/activate', { token: ben, ...activation })
    expect(active).toMatchObject({ status: 200, body: { state: { state: 'active' } } })
    const stale = await admin.ask('POST /licenses/LIC-NEW/activate', { token: ben, ...activation })
    expect(stale).toMatchObject({ status: 412, body: { reason: 'changed_meanwhile' } })

    // Less than before needs nobody else.
    const narrower = grantOf('LIC-NEW', { rates: { requestsPerMinute: 60 } })
    const amended = await admin.ask('POST /licenses/LIC-NEW/amend', {
      token: ada,
      body: { grant: narrower },
      ifMatch: active.headers.get('etag') ?? '',
    })
    expect(amended).toMatchObject({ status: 200, body: { revision: 2, grant: { rates: { requestsPerMinute: 60 } } } })
    const suspended = await admin.ask('POST /licenses/LIC-NEW/suspend', { token: ada, body: { reason: 'unpaid' } })
    expect(suspended.body.state).toEqual({ state: 'suspended', reason: 'unpaid', until: null })
    const history = await admin.ask('GET /licenses/LIC-NEW/history', { token: ada })
    expect(history.body.acts.map(({ act }) => act)).toEqual(['draft', 'activate', 'suspend'])
    const past = await admin.ask('GET /licenses/LIC-NEW/as-of?at=2026-02-01T00:00:00Z', { token: ada })
    expect(past.status).toBe(200)
  })

  test('that would allow more waits for a second person, and is then as it was asked', async () => {
    const seen = await admin.ask('GET /licenses/LIC-LAKESIDE', { token: ada })
    const grant = { ...seen.body.grant, rates: { ...seen.body.grant.rates, concurrency: 20_000 } }
    const ifMatch = seen.headers.get('etag') ?? ''
    const asked = await admin.ask('POST /licenses/LIC-LAKESIDE/amend', { token: ada, body: { grant }, ifMatch })
    expect(asked).toMatchObject({
      status: 202,
      body: { state: 'open', asked_by: 'Ada Moreno', widens: ['concurrency: 20000 instead of 10000'] },
    })
    const change = asked.body.change_request
    expect(asked.headers.get('location')).toBe(`/admin/v1/change-requests/${change}`)
    const still = await admin.ask('GET /licenses/LIC-LAKESIDE', { token: ada })
    expect(still.body.revision).toBe(seen.body.revision)

    const approve = (token: string) =>
      admin.ask(`POST /change-requests/${change}/approve`, { token, body: { reason: 'read and agreed' } })
    const adasOther = await admin.token({ name: 'ada moreno', roles: ['owner-admin'] })
    for (const token of [ada, adasOther])
      expect(await approve(token)).toMatchObject({ status: 409, body: { reason: 'second_person_is_the_first' } })
    expect(await approve(ben)).toMatchObject({ status: 200, body: { state: 'approved', decided_by: 'Ben Okafor' } })
    expect(await approve(ben)).toMatchObject({ status: 409, body: { reason: 'decided_already' } })
    const after = await admin.ask('GET /licenses/LIC-LAKESIDE/history', { token: ada })
    expect(after.body.revisions.at(-1)).toMatchObject({ recorded_by: 'Ada Moreno', approved_by: 'Ben Okafor' })
    const entries = await admin.ask('GET /audit?entity_type=license&entity_id=LIC-LAKESIDE', { token: ada })
    expect(entries.body.data.at(-1)).toMatchObject({
      action: 'license.amend',
      agent: { name: 'Ada Moreno' },
      approved_by: 'Ben Okafor',
    })
  })

  test('that changed while somebody was asked stays as it is', async () => {
    const seen = await admin.ask('GET /licenses/LIC-LAKESIDE', { token: ada })
    const ifMatch = seen.headers.get('etag') ?? ''
    const asked = await admin.ask('POST /licenses/LIC-LAKESIDE/renew', {
      token: ada,
      body: { end: '2040-01-01T00:00:00Z' },
      ifMatch,
    })
    expect(asked.status).toBe(202)
    await admin.ask('POST /licenses/LIC-LAKESIDE/attestations', { token: ben, body: { kind: 'training' } })
    const path = `POST /change-requests/${asked.body.change_request}`
    expect(await admin.ask(`${path}/approve`, { token: ben, body: { reason: 'yes' } })).toMatchObject({
      status: 409,
      body: { reason: 'changed_meanwhile' },
    })
    expect(await admin.ask(`${path}/reject`, { token: ada, body: { reason: 'asked anew' } })).toMatchObject({
      status: 200,
      body: { state: 'rejected' },
    })
  })

  test('who makes a token for another name is not two people, whichever of them asks', async () => {
    const chief = await admin.token({ name: 'Chief', roles: ['owner-admin'] })
    const make = async (token: string, name: string, roles = ['licensing']) =>
      (await admin.ask('POST /admin-tokens', { token, body: { name, roles } })).body.token
    const puppet = await make(chief, 'Puppet', ['owner-admin'])
    const other = await make(chief, 'Other')
    const puppetsPuppet = await make(puppet, 'Third')
    const seen = await admin.ask('GET /licenses/LIC-LAKESIDE', { token: chief })
    const ask = async (token: string) => {
      const body = { end: '2040-01-01T00:00:00Z' }
      const ifMatch = seen.headers.get('etag') ?? ''
      return (await admin.ask('POST /licenses/LIC-LAKESIDE/renew', { token, body, ifMatch })).body.change_request
    }
    const pairs = [
      [chief, puppet],
      [puppet, chief],
      [puppet, other],
      [chief, puppetsPuppet],
      [puppetsPuppet, chief],
      [other, puppetsPuppet],
    ] as const
    for (const [asking, approving] of pairs) {
      const change = await ask(asking)
      const approved = await admin.ask(`POST /change-requests/${change}/approve`, {
        token: approving,
        body: { reason: 'yes' },
      })
      expect(approved).toMatchObject({ status: 409, body: { reason: 'second_person_is_the_first' } })
    }

    // Nor where a name stands in a record: a draft of one, activated by the other.
    const drafts = [
      [chief, puppet],
      [puppet, chief],
    ] as const
    for (const [index, [drafting, activating]] of drafts.entries()) {
      const license = `LIC-PUPPET-${index}`
      const grant = grantOf(license)
      const drafted = await admin.ask('POST /tenants/prairie/licenses', { token: drafting, body: { grant } })
      const activated = await admin.ask(`POST /licenses/${license}/activate`, {
        token: activating,
        body: { reason: 'signed' },
        ifMatch: drafted.headers.get('etag') ?? '',
      })
      expect(activated).toMatchObject({ status: 409, body: { reason: 'drafter_cannot_activate' } })
    }
    const sign = (token: string, role: string) =>
      admin.ask('POST /models/scribe/versions/2.0.0/sign-offs', { token, body: { to: 'owner', role, reason: 'read' } })
    expect((await sign(puppet, 'technical')).status).toBe(200)
    expect(await sign(chief, 'clinical')).toMatchObject({ status: 409, body: { reason: 'sign_offs_of_one_person' } })

    const owner = await admin.token({ name: 'The owner', roles: ['owner-admin'] })
    const { body } = await admin.ask('GET /admin-tokens', { token: owner })
    const tokenId = body.data.find(({ name }) => name === 'Puppet')?.token_id
    const revoked = await admin.ask(`POST /admin-tokens/${tokenId}/revoke`, {
      token: owner,
      body: { reason: 'a test' },
    })
    expect(revoked.status).toBe(200)
    expect((await admin.ask('GET /tenants', { token: puppet })).status).toBe(401)
  })
})

describe('versions', () => {
  test('take their step with both sign-offs, and are recalled at once', async () => {
    const path = '/models/scribe/versions/2.0.0'
    const seen = await admin.ask(`GET ${path}`, { token: ada })
    expect(seen.body).toMatchObject({ model: 'scribe', version: '2.0.0', stage: 'expert' })
    const ifMatch = seen.headers.get('etag') ?? ''
    const refused = await admin.ask(`POST ${path}/promote`, {
      token: ada,
      body: { to: 'owner', reason: 'good' },
      ifMatch,
    })
    expect(refused.body.errors.map(({ reason }) => reason)).toContain('card_missing')
    const signed = await admin.ask(`POST ${path}/sign-offs`, {
      token: ada,
      body: { to: 'owner', role: 'clinical', reason: 'reviewed' },
    })
    expect(signed.body.sign_offs.at(-1)).toMatchObject({ by: 'Ada Moreno', role: 'clinical' })
    const recalled = await admin.ask(`POST ${path}/recall`, { token: ada, body: { reason: 'wrong tables' } })
    expect(recalled.body.recalled).toMatchObject({ reason: 'wrong tables' })
  })
})

test('usage and audit are there for the auditor, and nothing to do', async () => {
  const auditor = await admin.token({ name: 'Audrey', roles: ['auditor'] })
  const usage = await admin.ask('GET /usage?tenant=lakeside', { token: auditor })
  expect(usage.body.data[0]).toMatchObject({ tenant: 'lakeside', application: 'ehr', currency: 'USD' })
  const entries = await admin.ask('GET /audit?limit=1', { token: auditor })
  expect(entries.body.data).toHaveLength(1)
  const next = await admin.ask(`GET /audit?limit=1&after=${entries.body.next}`, { token: auditor })
  expect(next.body.data[0]?.entry).toBeTypeOf('string')
  expect(next.body.data[0]?.entry).not.toBe(entries.body.data[0]?.entry)
  expect(
    (await admin.ask('POST /licenses/LIC-LAKESIDE/suspend', { token: auditor, body: { reason: 'x' } })).status,
  ).toBe(403)
})
