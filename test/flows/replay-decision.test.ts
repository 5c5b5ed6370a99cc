import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendAuditEntry } from '../../src/audit/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant, requestName, uuidV7 } from '../../src/kernel/index.ts'
import { openAdmin, type Admin } from '../support/admin.ts'
import { until } from '../support/ledger.ts'
import { openHouse, type House } from '../support/house.ts'

let house: House
let admin: Admin
let token: string
beforeAll(async () => {
  house = await openHouse()
  admin = await openAdmin(house)
  token = await admin.token({ name: 'Audrey', roles: ['auditor'] })
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

async function call(application: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await house.key(application)}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }], ...body }),
  })
  await response.text()
  return { status: response.status, requestId: response.headers.get('x-request-id') ?? '' }
}

/** An entry as a gateway writes it, of a call that prairie's program made now. */
async function enterRefusal(reasons: readonly string[]): Promise<string> {
  const requestId = uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10)))
  await systemTransaction(house.database, 'audit', async (tx) => {
    const query = tx.selectFrom('tenant').select('tenant_id').where('tenant', '=', 'prairie')
    const { tenant_id: tenantId } = await query.executeTakeFirstOrThrow()
    await appendAuditEntry(tx, {
      tenantId,
      at: instant(Date.now()),
      action: 'call.refuse',
      agent: { kind: 'application', name: 'trial', roles: [] },
      entity: { type: 'model', id: 'ecg-low-ef' },
      outcome: 'refused',
      reason: reasons[0],
      facts: { request: requestName(requestId), operation: 'chat', reasons },
    })
  })
  return requestName(requestId)
}

test('a refusal is the same when the facts of then give its reasons, all of them and no others', async () => {
  const isSame = async (reasons: readonly string[]) =>
    (await admin.ask(`GET /decisions/${await enterRefusal(reasons)}`, { token })).body.is_same
  expect(await isSame(['model_not_licensed'])).toBe(true)
  expect(await isSame(['license_revoked'])).toBe(false)
  expect(await isSame(['license_revoked', 'model_not_licensed'])).toBe(false)
  // What was recorded is of another gate only, and the license would have refused before it.
  expect(await isSame(['budget_exhausted'])).toBe(false)
})

test('what a budget refused was permitted by the license, and is the same', async () => {
  await house.declare({ 'prairie/license.yaml': (text) => text.replace('limit: 1000000000', 'limit: 1') })
  await until(
    'the budget is known to be too small',
    5_000,
    async () => (await call('prairie/trial', {})).status === 429,
  )
  const { requestId } = await call('prairie/trial', {})
  const replay = () => admin.ask(`GET /decisions/${requestId}`, { token })
  await until('it is recorded', 5_000, async () => (await replay()).status === 200)
  expect((await replay()).body).toMatchObject({
    is_same: true,
    recorded: { outcome: 'deny', reasons: ['budget_exhausted'] },
    decision: { outcome: 'permit' },
  })
})

test('what was permitted and refused is decided again as it was, whatever has changed since', async () => {
  const permitted = await call('lakeside/ehr', {})
  const forbidden = await call('lakeside/ehr', { model: 'scribe@2.0.0' }, { 'formulary-facility': 'north' })
  expect([permitted.status, forbidden.status]).toEqual([200, 403])
  const replay = (requestId: string) => admin.ask(`GET /decisions/${requestId}`, { token })
  // The entry of a refusal is written a moment after it.
  await until('both are recorded', 5_000, async () => (await replay(forbidden.requestId)).status === 200)
  const before = await Promise.all([permitted, forbidden].map(({ requestId }) => replay(requestId)))

  // The license is suspended, the version recalled, and a policy forbids it all.
  const office = await admin.token({ name: 'Ada Moreno', roles: ['licensing'] })
  const done = await Promise.all([
    admin.ask('POST /licenses/LIC-LAKESIDE/suspend', { token: office, body: { reason: 'unpaid' } }),
    admin.ask('POST /models/scribe/versions/1.0.0/recall', { token: office, body: { reason: 'wrong tables' } }),
  ])
  expect(done.map(({ status }) => status)).toEqual([200, 200])
  await house.declare({
    'models/scribe.yaml': (text) =>
      text.replace(
        '  - version: 1.0.0\n    stage: consumer\n',
        '  - version: 1.0.0\n    stage: consumer\n    recalled: wrong tables\n',
      ),
    'policies/licensed-use.cedar': (text) =>
      `${text}\n@id("nobody") @reason("Nobody calls today.")\nforbid (principal, action, resource);\n`,
  })
  const halted = await call('lakeside/ehr', {})
  expect(halted.status).toBe(403)
  await until('it is recorded', 5_000, async () => (await replay(halted.requestId)).status === 200)
  expect((await replay(halted.requestId)).body).toMatchObject({
    is_same: true,
    recorded: { reasons: ['license_suspended', 'version_recalled'] },
  })

  const after = await Promise.all([permitted, forbidden].map(({ requestId }) => replay(requestId)))
  expect(after.map(({ body }) => body.is_same)).toEqual([true, true])
  expect(after.map(({ body }) => body)).toEqual(before.map(({ body }) => body))
  expect(after[0]?.body).toMatchObject({
    recorded: { outcome: 'permit', tenant: 'lakeside' },
    decision: { outcome: 'permit', version: 'scribe@1.0.0', policies: ['licensed-use'], license: 'LIC-LAKESIDE' },
  })
  expect(after[1]?.body.decision.reasons[0]).toMatchObject({ reason: 'version_not_licensed' })

  const now = '/decisions?tenant=lakeside&application=ehr&model=scribe&operation=chat'
  const told = await admin.ask(`GET ${now}`, { token })
  expect(told.body.reasons.map(({ reason }) => reason)).toEqual(['license_suspended', 'version_recalled'])
})
