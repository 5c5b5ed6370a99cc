import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { adminOpenApiDocument } from '../../src/admin/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { closePeriod, monthOf } from '../../src/billing/index.ts'
import { ownerRoles, parseApiKey, roles, type Role } from '../../src/identity/index.ts'
import { instant, isoOf, plusDays } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { issueNotice } from '../../src/release/index.ts'
import { use } from '../billing/month.ts'
import { openAdmin, testOwnerToken, type Admin, type Told } from '../support/admin.ts'
import { openHouse, tester, type House } from '../support/house.ts'
import { openSession, quietProvider, type OpenedSession } from '../support/session.ts'
import { adminOperations, type About, type AdminOperation } from './admin-operations.ts'

const nobody: About = {
  tenant: 'nobody',
  application: 'nothing',
  license: 'LIC-NOBODY',
  keyId: 'nobodyskey00',
  notice: randomUUID(),
  invoice: 'INV-999999',
  session: randomUUID(),
}
const operations = adminOperations(nobody)

let house: House
let admin: Admin
let lakeside: About
const tokens = new Map<Role, string>()
/** Of people who have signed in, one per role. */
const sessions = new Map<Role, OpenedSession>()
beforeAll(async () => {
  const ofOne = quietProvider('tenant-admin', 'tenant-viewer')
  house = await openHouse({
    replace: {
      'clinic/tenant.yaml': (text) => text + quietProvider(...ownerRoles),
      'lakeside/tenant.yaml': (text) =>
        text.replace(
          /(application: ehr,.*) \}/,
          '$1, client: { profile: smart, jwksUri: "https://ehr.test/jwks.json" } }',
        ) + ofOne,
      'prairie/tenant.yaml': (text) => text + ofOne,
    },
  })
  admin = await openAdmin(house)
  for (const role of roles) {
    const isOfTenant = role.startsWith('tenant-')
    const tenant = isOfTenant ? { tenant: 'prairie' } : {}
    tokens.set(role, await admin.token({ name: `a ${role}`, roles: [role], ...tenant }))
    sessions.set(role, await signedIn(isOfTenant ? 'prairie' : 'clinic', role))
  }
  lakeside = {
    tenant: 'lakeside',
    application: 'ehr',
    license: 'LIC-LAKESIDE',
    keyId: parseApiKey(await house.key('lakeside/ehr'))?.keyId ?? '',
    notice: await noticeToLakeside(),
    invoice: await invoiceToLakeside(),
    session: await sessionOfLakeside(),
  }
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

const signedIn = (tenant: string, role: Role) =>
  openSession(house, admin.url, { tenant, role, subject: `${role} of ${tenant}` })

async function sessionOfLakeside(): Promise<string> {
  const { cookie } = await signedIn('lakeside', 'tenant-admin')
  const told = await admin.ask('GET /session', { headers: { cookie } })
  return told.body.session_id
}

async function noticeToLakeside(): Promise<string> {
  const issued = await systemTransaction(house.database, 'administer', (tx) =>
    issueNotice(tx, {
      model: 'scribe',
      version: '1.1.0',
      to: 'licensed',
      days: undefined,
      summary: 'a newer version',
      actor: tester,
      now: instant(Date.now()),
    }),
  )
  const notice = issued.ok ? issued.value.find(({ tenant }) => tenant === 'lakeside') : undefined
  if (notice === undefined) throw new Error('lakeside got no notice')
  return notice.noticeId
}

/** Its month is closed as if it were over. */
async function invoiceToLakeside(): Promise<string> {
  const at = instant(Date.now())
  await use(house.database, [{ at: isoOf(at), input: 1_000_000 }])
  const period = monthOf(at)
  const closed = await closePeriod(
    { database: house.database, startSha256: nodeSha256 },
    { license: 'LIC-LAKESIDE', period, reasons: new Map(), actor: tester, now: plusDays(period.end, 1) },
  )
  if (!closed.ok || closed.value.invoice === undefined) throw new Error('lakeside got no invoice')
  return closed.value.invoice
}

const ask = (
  { method, path, body, ifMatch }: AdminOperation,
  shown: string | OpenedSession | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<Told> =>
  admin.ask(`${method} ${path}`, {
    ...(typeof shown === 'string' ? { token: shown } : { session: shown }),
    body,
    ifMatch: ifMatch === true ? '*' : undefined,
    headers,
  })

const countRows = async (): Promise<string> => {
  const tables = [
    'audit_entry',
    'admin_request',
    'admin_token',
    'admin_session',
    'change_request',
    'api_key',
    'license_act',
  ]
  const counts = await Promise.all(
    tables.map((table) => house.database.systemPool.query<{ rows: string }>(`select count(*) as rows from ${table}`)),
  )
  return counts.map(({ rows }) => rows[0]?.rows).join(' ')
}

test('the matrix has every operation of the OpenAPI document, and no other', () => {
  const Document = z.object({
    paths: z.record(z.string(), z.record(z.string(), z.object({ operationId: z.string() }))),
  })
  const described = Object.values(Document.parse(adminOpenApiDocument()).paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  expect(operations.map(({ id }) => id).toSorted()).toEqual(described.toSorted())
})

describe('who shows no valid token meets one answer, and writes nothing:', () => {
  type Shown = string | OpenedSession | undefined
  const strangers: readonly (readonly [string, () => Promise<Shown> | Shown])[] = [
    ['nothing', () => undefined],
    ['a word', () => 'secret'],
    ['a token with a typo', () => `${tokens.get('owner-admin')?.slice(0, -1)}_`],
    ['a token with another secret', () => forged(tokens.get('owner-admin') ?? '')],
    ['an API key', () => house.key('lakeside/ehr')],
    ['half an owner token', () => testOwnerToken.slice(0, -1)],
    ['an expired token', () => admin.token({ name: 'x', roles: ['owner-admin'], at: Date.now() - 3 * 86_400_000 })],
    ['a revoked token', revoked],
    ['a session that is made up', () => session(`formulary-session=${'A'.repeat(43)}.${'A'.repeat(43)}`)],
    ['a session’s cookie with another signature', () => changed((cookie) => cookie.slice(0, -2) + 'AA')],
    ['a session’s cookie with another id', () => changed((cookie) => cookie.replace(/=.../, '=AAA'))],
    ['a session that was ended', () => spoilt(`ended_at = now()`)],
    ['a session that nobody used for half an hour', () => spoilt(`used_at = now() - interval '30 minutes'`)],
    ['a session of eight hours ago', () => spoilt(`began_at = now() - interval '9 hours', ends_at = now()`)],
    ['a session of a provider that has changed since', () => outlived(`update sign_in set revision = revision + 1`)],
    ['a session of a provider that has ended', () => outlived(`update sign_in set ended_at = now()`)],
    ['a session of a tenant that has ended', () => outlived(`update tenant set ended_at = now()`)],
    ['a session’s cookie as a bearer token', () => sessions.get('owner-admin')?.cookie.split('=')[1]],
    ['a token of a tenant that has ended', ended],
  ]
  test.each(strangers)('%s', async (_, shown) => {
    const stranger = await shown()
    const before = await countRows()
    const answers = await Promise.all(operations.map((operation) => ask(operation, stranger)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(answers.every(({ headers }) => headers.get('www-authenticate')?.startsWith('Bearer'))).toBe(true)
    expect(await countRows()).toBe(before)
    for (const table of ['tenant', 'sign_in'])
      await house.database.systemPool.query(`update ${table} set ended_at = null where ended_at is not null`)
  })

  const session = (cookie: string): OpenedSession => ({ cookie, csrfToken: 'none' })

  const changed = (change: (cookie: string) => string): OpenedSession | undefined => {
    const one = sessions.get('owner-admin')
    return one && { ...one, cookie: change(one.cookie) }
  }

  /** A session of its own, which then is no good any more. */
  async function spoilt(set: string): Promise<OpenedSession> {
    const one = await signedIn('clinic', 'owner-admin')
    await house.database.systemPool.query(
      `update admin_session set ${set} where session_id = (select session_id from admin_session order by session_id desc limit 1)`,
    )
    return one
  }

  /** A session of its own, whose tenant or provider then is not what it was. */
  async function outlived(statement: string): Promise<OpenedSession> {
    const one = await signedIn('lakeside', 'tenant-admin')
    await house.database.systemPool.query(
      `${statement} where tenant_id = (select tenant_id from tenant where tenant = 'lakeside')`,
    )
    return one
  }

  async function revoked(): Promise<string> {
    const token = await admin.token({ name: 'revoked', roles: ['owner-admin'] })
    await house.database.systemPool.query(`update admin_token set revoked_at = now() where name = 'revoked'`)
    return token
  }

  async function ended(): Promise<string> {
    const token = await admin.token({ name: 'of the ended', roles: ['tenant-admin'], tenant: 'clinic' })
    await house.database.systemPool.query(`update tenant set ended_at = now() where tenant = 'clinic'`)
    return token
  }

  /** The id of a real one, and a checksum that is right. */
  const forged = (token: string): string => {
    const other = token.slice(0, 22) + token.slice(22, 65).split('').toReversed().join('')
    return other + crcOf(other)
  }
})

describe.each(roles)('as %s', (role) => {
  test.each(operations.map((operation) => [operation.id, operation] as const))('%s', async (_, operation) => {
    const { status, body } = await ask(operation, tokens.get(role))
    if (operation.roles.includes(role)) {
      // What it is about is not there: whoever may ask is told so, or shown a list.
      expect([200, 404, 409, 422]).toContain(status)
      expect(JSON.stringify(body)).not.toContain('role_missing')
    } else expect({ status, reason: body.reason }).toEqual({ status: 403, reason: 'role_missing' })
  })
})

describe.each(roles)('signed in as %s', (role) => {
  test.each(operations.map((operation) => [operation.id, operation] as const))('%s', async (_, operation) => {
    const session = sessions.get(role)
    const { status, body } = await ask(operation, session)
    if (operation.roles.includes(role)) {
      expect([200, 404, 409, 422]).toContain(status)
      expect(JSON.stringify(body)).not.toContain('role_missing')
    } else expect({ status, reason: body.reason }).toEqual({ status: 403, reason: 'role_missing' })
    if (operation.method === 'GET') return
    // The same, as another site's page would send it: the cookie alone, or with a token that it cannot know.
    for (const forged of [
      { 'x-csrf-token': '' },
      { 'x-csrf-token': 'A'.repeat(43) },
      { origin: 'https://elsewhere.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect((await ask(operation, session, forged)).body.reason).toBe('cross_site_request')
  })
})

describe.each([
  ['a token', () => tokens.get('tenant-admin')],
  ['a session', () => sessions.get('tenant-admin')],
] as const)('a tenant’s administrator with %s', (_, shown) => {
  test.each(
    operations
      .filter(({ roles: may }) => may.includes('tenant-admin'))
      .map(({ id, isOfTenant }) => [id, isOfTenant ?? false] as const),
  )('finds nothing of another tenant by %s', async (id, isOfTenant) => {
    const operation = adminOperations(lakeside).find((one) => one.id === id)
    if (operation === undefined) throw new Error(`no ${id}`)
    const told = await ask(operation, shown())
    if (isOfTenant) expect(told.status).toBe(404)
    expect(
      JSON.stringify(told.body).replaceAll(/no (tenant|license|client) (lakeside(\.ehr)?|LIC-LAKESIDE)/g, ''),
    ).not.toMatch(/lakeside/i)
    // The same question of one who may: it was about something that is there.
    if (isOfTenant && operation.method === 'GET')
      expect((await ask(operation, tokens.get('owner-admin'))).status).toBe(200)
  })
})

test('a tenant’s administrator keeps the keys of its own applications', async () => {
  const token = tokens.get('tenant-admin')
  const made = await admin.ask('POST /tenants/prairie/applications/trial/keys', { token, body: {} })
  expect(made.status).toBe(201)
  const rotated = await admin.ask(`POST /keys/${made.body.key_id}/rotate`, { token, body: {} })
  expect(rotated.status).toBe(201)
  const keys = await admin.ask('GET /tenants/prairie/keys', { token })
  expect(keys.body.data.map(({ tenant }) => tenant)).toEqual(['prairie', 'prairie'])
  const entries = await admin.ask('GET /audit', { token })
  expect(entries.body.data.map(({ action }) => action)).toEqual(expect.arrayContaining(['key.create', 'key.rotate']))
})

/** The checksum of a minted secret, computed here once more. */
function crcOf(text: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let crc = 0xffffffff
  for (const letter of text) {
    crc ^= letter.charCodeAt(0)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  let rest = (crc ^ 0xffffffff) >>> 0
  let out = ''
  for (let index = 0; index < 6; index++, rest = Math.floor(rest / 62)) out = (digits[rest % 62] ?? '') + out
  return out
}
