import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdmin, type Admin } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'

let house: House
let admin: Admin
let chief: string
beforeAll(async () => {
  house = await openHouse()
  admin = await openAdmin(house)
  chief = await admin.token({ name: 'Ada Moreno', roles: ['owner-admin'] })
})
afterAll(async () => {
  await admin?.stop()
  await house?.stop()
})

const make = (body: object, token = chief) =>
  admin.ask('POST /admin-tokens', { token, body: { name: 'A machine', roles: ['owner-admin'], days: 1, ...body } })

describe('a token for a machine', () => {
  test('that only reads reads everything that its role may, and changes nothing', async () => {
    const { token } = (await make({ scopes: ['read'] })).body
    expect((await admin.ask('GET /tenants', { token })).status).toBe(200)
    expect((await admin.ask('GET /admin-tokens', { token })).status).toBe(200)
    for (const what of ['POST /licenses/LIC-LAKESIDE/suspend', 'POST /admin-tokens', 'POST /sessions/end'])
      expect((await admin.ask(what, { token, body: { reason: 'x' } })).body.reason).toBe('scope_missing')
  })

  test('for two operations does those two', async () => {
    const { token } = (await make({ scopes: ['suspendLicense', 'getLicense'] })).body
    expect((await admin.ask('GET /licenses/LIC-PRAIRIE', { token })).status).toBe(200)
    expect((await admin.ask('POST /licenses/LIC-PRAIRIE/suspend', { token, body: { reason: 'x' } })).status).toBe(200)
    for (const what of ['POST /licenses/LIC-PRAIRIE/resume', 'GET /tenants'])
      expect((await admin.ask(what, { token, body: { reason: 'x' } })).body.reason).toBe('scope_missing')
  })

  test('has no more than its roles, whatever its scopes', async () => {
    const { token } = (await make({ roles: ['finance'], scopes: ['suspendLicense'] })).body
    const told = await admin.ask('POST /licenses/LIC-LAKESIDE/suspend', { token, body: { reason: 'x' } })
    expect(told.body.reason).toBe('role_missing')
  })

  test('hands on what it is for, and nothing else', async () => {
    const { token } = (await make({ scopes: ['createAdminToken', 'listTenants'] })).body
    const wide = await make({}, token)
    expect(wide).toMatchObject({ status: 422, body: { reason: 'scopes_exceed_makers' } })
    expect(await make({ scopes: ['read'] }, token)).toMatchObject({ status: 422 })
    const handed = await make({ scopes: ['listTenants'] }, token)
    expect(handed.status).toBe(201)
    expect((await admin.ask('GET /tenants', { token: handed.body.token })).status).toBe(200)
  })

  test('is refused for an operation that there is not, and for more than a year', async () => {
    expect(await make({ scopes: ['listTenants', 'launchRockets'] })).toMatchObject({
      status: 422,
      body: { reason: 'scope_unknown', errors: [{ pointer: '/scopes' }] },
    })
    expect((await make({ days: 366 })).status).toBe(400)
    expect((await make({ days: 365 })).status).toBe(201)
  })

  test('is listed with what it is for, and when it was used', async () => {
    const made = await make({ name: 'Nightly report', scopes: ['read'] })
    const find = async () => {
      const { body } = await admin.ask('GET /admin-tokens', { token: chief })
      return body.data.find(({ token_id }) => token_id === made.body.token_id)
    }
    expect(await find()).toMatchObject({ scopes: ['read'], used_at: null })
    await admin.ask('GET /tenants', { token: made.body.token })
    const used = Date.parse((await find())?.used_at ?? '')
    expect(Math.abs(used - Date.now())).toBeLessThan(60_000)
  })
})

test('the database keeps no token for longer than a year, and none without a scope', async () => {
  const insert = (days: number, scopes: string) =>
    house.database.systemPool.query(
      `insert into admin_token (token_id, name, roles, scopes, secret_hmac, pepper_version, created_at, created_by, makers, expires_at)
       values ('x', 'x', '{auditor}', $2, '\\x00', 1, now(), 'x', '{}', now() + make_interval(days => $1))`,
      [days, scopes],
    )
  await expect(insert(367, '{read}')).rejects.toMatchObject({ constraint: 'admin_token_expires_within_a_year' })
  await expect(insert(1, '{}')).rejects.toMatchObject({ constraint: 'admin_token_scopes_are_some' })
})
