import { randomBytes } from 'node:crypto'
import { decodeJwt, generateSecret, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemTransaction } from '../../src/db/index.ts'
import { beginPersonsSession, findProvider } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { Browser } from '../support/browser.ts'
import { openSignInHouse, people, type SignInHouse } from '../support/sign-in.ts'

let world: SignInHouse
beforeAll(async () => {
  world = await openSignInHouse()
})
afterAll(() => world?.stop())

const isSignedIn = async (browser: Browser): Promise<boolean> =>
  (await browser.ask(`${world.admin.url}/admin/v1/session`)).status === 200

const countSessions = async (): Promise<number> => {
  const { rows } = await world.house.database.systemPool.query<{ count: string }>('select count(*) from admin_session')
  return Number(rows[0]?.count)
}

/** What comes back is shown, is refused, and has begun nothing. */
async function expectRefused(browser: Browser, back: URL, words = /Begin again/): Promise<void> {
  const before = await countSessions()
  const page = await browser.go(back)
  expect([400, 403]).toContain(page.status)
  expect(page.text).toMatch(words)
  expect(await isSignedIn(browser)).toBe(false)
  expect(await countSessions()).toBe(before)
}

describe('what comes back from a provider is refused', () => {
  test('with another state', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    back.searchParams.set('state', 'A'.repeat(43))
    await expectRefused(browser, back)
  })

  test('without a state, or with two', async () => {
    for (const change of [
      (all: URLSearchParams) => all.delete('state'),
      (all: URLSearchParams) => all.append('state', 'x'),
    ]) {
      const browser = new Browser()
      const back = await world.comeBack(people.chief, browser)
      change(back.searchParams)
      await expectRefused(browser, back)
    }
  })

  test('in a browser that has not begun the sign-in', async () => {
    const back = await world.comeBack(people.chief, new Browser())
    await expectRefused(new Browser(), back)
  })

  test('in a browser that has begun another one meanwhile', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    await world.comeBack(people.chief, browser)
    await expectRefused(browser, back)
  })

  test('with the cookie of the attempt tampered with: another place to go, another end, another tenant', async () => {
    for (const change of [
      (cookie: string) => cookie.replace(/\.Lw\./, '.L2E.'),
      (cookie: string) => cookie.replace(/^\d+/, (end) => String(Number(end) + 1)),
      (cookie: string) => cookie.replace('.clinic.', '.lakeside.'),
    ]) {
      const browser = new Browser()
      const back = await world.comeBack(people.chief, browser)
      const cookies = browser.cookiesOf(world.admin.url)
      const cookie = cookies.get('formulary-sign-in') ?? ''
      expect(change(cookie)).not.toBe(cookie)
      cookies.set('formulary-sign-in', change(cookie))
      await expectRefused(browser, back)
    }
  })

  test('a second time: the code, and everything else with it', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    const kept = new Map(browser.cookiesOf(world.admin.url))
    expect((await browser.go(back)).status).toBe(200)
    const thief = new Browser()
    for (const [name, value] of kept) thief.cookiesOf(world.admin.url).set(name, value)
    await expectRefused(thief, back)
  })

  test('with a code that was got for somebody else’s sign-in', async () => {
    const victims = await world.comeBack(people.chief, new Browser())
    const browser = new Browser()
    const own = await world.comeBack(people.nurse, browser)
    own.searchParams.set('code', victims.searchParams.get('code') ?? '')
    await expectRefused(browser, own)
  })

  test('from another provider than it was begun at (mix-up, RFC 9207)', async () => {
    // At the hospital's provider, and back with the answer of the owner's: at each other's place, and with each other's iss.
    const browser = new Browser()
    const owners = await world.comeBack(people.chief, new Browser())
    const own = await world.comeBack(people.lakesideAdmin, browser)
    await expectRefused(browser, owners)
    const second = new Browser()
    const again = await world.comeBack(people.lakesideAdmin, second)
    again.searchParams.set('iss', world.owners.issuer)
    await expectRefused(second, again)
    const third = new Browser()
    const last = await world.comeBack(people.lakesideAdmin, third)
    last.searchParams.delete('iss')
    await expectRefused(third, last)
    const fourth = new Browser()
    const elsewhere = await world.comeBack(people.lakesideAdmin, fourth)
    elsewhere.searchParams.set('iss', world.owners.issuer)
    elsewhere.pathname = '/sign-in/callback/clinic'
    await expectRefused(fourth, elsewhere, /not begun in this browser/)
    expect(own.searchParams.get('iss')).toBe(world.lakesides.issuer)
  })

  test('when it is the provider’s no', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    back.searchParams.delete('code')
    back.searchParams.set('error', 'access_denied')
    await expectRefused(browser, back, /did not let you in/)
  })
})

type Claims = Record<string, unknown>
const now = (): number => Math.floor(Date.now() / 1000)

describe('an id token is refused', () => {
  const changed = (change: (claims: Claims) => Claims) => (claims: Claims) => world.owners.sign(change(claims))
  const forgeries: readonly (readonly [string, (claims: Claims) => Promise<string> | string])[] = [
    ['with another nonce', changed((claims) => ({ ...claims, nonce: 'A'.repeat(43) }))],
    ['without a nonce', changed(({ nonce: _nonce, ...claims }) => claims)],
    ['for another client', changed((claims) => ({ ...claims, aud: 'another' }))],
    [
      'for two clients, issued to the other',
      changed((claims) => ({ ...claims, aud: ['formulary', 'another'], azp: 'another' })),
    ],
    ['of another issuer', changed((claims) => ({ ...claims, iss: world.lakesides.issuer }))],
    ['that has expired', changed((claims) => ({ ...claims, iat: now() - 7_200, exp: now() - 3_600 }))],
    ['without an end', changed(({ exp: _exp, ...claims }) => claims)],
    ['without a subject', changed(({ sub: _sub, ...claims }) => claims)],
    ['by a key of another provider', (claims) => world.lakesides.sign(claims)],
    ['by a key that nobody has published', (claims) => world.owners.sign(claims, { kid: 'other' })],
    ['without a signature (alg none)', (claims) => new UnsecuredJWT(claims).encode()],
    ['by our own secret (HS256)', (claims) => symmetric(claims, new TextEncoder().encode(world.owners.clientSecret))],
    ['by a secret of anybody (HS256)', async (claims) => symmetric(claims, await generateSecret('HS256'))],
    ['with a signature cut off', async (claims) => (await world.owners.sign(claims)).replace(/[^.]*$/, '')],
    ['that is none', () => 'not.a.token'],
  ]

  test.each(forgeries)('%s', async (_, forge) => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    world.owners.tamper = async (answer) => ({
      ...answer,
      id_token: await forge(decodeJwt(String(answer['id_token']))),
    })
    try {
      await expectRefused(browser, back, /was not believed|has no|no role/)
    } finally {
      world.owners.tamper = undefined
    }
  })

  test('no more when nothing of it was changed', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser)
    world.owners.tamper = async (answer) => ({
      ...answer,
      id_token: await world.owners.sign(decodeJwt(String(answer['id_token']))),
    })
    try {
      expect((await browser.go(back)).status).toBe(200)
      expect(await isSignedIn(browser)).toBe(true)
    } finally {
      world.owners.tamper = undefined
    }
  })

  const symmetric = (claims: Claims, secret: Uint8Array | CryptoKey): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret)
})

describe('a session', () => {
  test('is not one that somebody planted before (fixation)', async () => {
    const attacker = (await world.signIn(people.nurse)).browser
    const planted =
      (await world.signIn(people.office)).browser.cookiesOf(world.admin.url).get('formulary-session') ?? ''
    const victim = new Browser()
    victim.cookiesOf(world.admin.url).set('formulary-session', planted)
    const back = await world.comeBack(people.chief, victim)
    await victim.go(back)
    const own = victim.cookiesOf(world.admin.url).get('formulary-session')
    expect(own).not.toBe(planted)
    attacker.cookiesOf(world.admin.url).set('formulary-session', planted)
    // What was planted has ended, and the victim's is another.
    expect(await isSignedIn(attacker)).toBe(false)
    expect(await isSignedIn(victim)).toBe(true)
  })

  test('of one tenant finds nothing of another, and a tenant’s provider makes no officer of the owner', async () => {
    const who = { ...people.lakesideAdmin, groups: ['formulary-chiefs', 'formulary-office', 'owner-admin'] }
    expect((await world.signIn(who)).page.status).toBe(403)
    const { browser } = await world.signIn({ ...who, groups: [...who.groups, 'formulary-admins'] })
    const told = await browser.ask(`${world.admin.url}/admin/v1/session`)
    expect(JSON.parse(told.text)).toMatchObject({ roles: ['tenant-admin'], tenant: 'lakeside' })
    for (const path of ['tenants/prairie', 'tenants/clinic', 'licenses/LIC-PRAIRIE'])
      expect((await browser.ask(`${world.admin.url}/admin/v1/${path}`)).status).toBe(404)
  })

  test('cannot be written into the database for more than its provider may give', async () => {
    const insert = (tenant: string, kind: string, scope: string, roles: string) =>
      world.house.database.systemPool.query(
        `insert into admin_session (tenant_id, secret_sha256, provider_tenant_id, provider_kind, provider_revision, issuer,
           subject, name, shown_as, roles, attempt_sha256, began_at, used_at, ends_at)
         select coalesce((select tenant_id from tenant where tenant = $3), '00000000-0000-0000-0000-000000000000'),
           sha256('a'), tenant_id, $2, 1, 'i', 's', 'n', 'n', $4, sha256('b'), now(), now(), now() + interval '1 hour'
         from tenant where tenant = $1`,
        [tenant, kind, scope, roles],
      )
    for (const [tenant, kind, scope, roles] of [
      ['lakeside', 'health-system', '', '{owner-admin}'],
      ['lakeside', 'owner', '', '{owner-admin}'],
      ['lakeside', 'health-system', 'prairie', '{tenant-admin}'],
      ['clinic', 'owner', 'lakeside', '{tenant-admin}'],
      ['clinic', 'owner', '', '{tenant-admin}'],
    ] as const)
      await expect(insert(tenant, kind, scope, roles)).rejects.toMatchObject({
        code: expect.stringMatching(/^235(14|03)$/),
      })
    await expect(
      world.house.database.systemPool.query(`update sign_in set roles = '{"g": "owner-admin"}' where kind <> 'owner'`),
    ).rejects.toMatchObject({ constraint: 'sign_in_gives_roles_of_its_tenant_only' })
  })

  test('begins once for one way through the provider, also when the provider takes a code twice', async () => {
    const { database } = world.house
    const facts = await systemTransaction(database, 'administer', (tx) => findProvider(tx, { tenant: 'lakeside' }))
    if (facts === undefined) throw new Error('lakeside has no provider')
    const person = { issuer: facts.issuer, subject: 'twice', shownAs: 'Twice', roles: ['tenant-viewer'] as const }
    const attemptSha256 = randomBytes(32)
    const begin = () =>
      systemTransaction(database, 'administer', (tx) =>
        beginPersonsSession(
          tx,
          { secretSha256: randomBytes(32), now: instant(Date.now()) },
          { facts, person, attemptSha256 },
        ),
      )
    expect((await Promise.all([begin(), begin(), begin()])).toSorted()).toEqual([false, false, true])
    expect(await begin()).toBe(false)
  })

  test('changes nothing for a form of another site, or without its token', async () => {
    const { browser, page } = await world.signIn(people.chief)
    const token = /name="csrf_token" type="hidden" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    const out = (form: Record<string, string>, headers: Record<string, string> = {}) =>
      browser.ask(`${world.admin.url}/sign-out`, { form, headers })
    for (const refused of [
      await out({}),
      await out({ csrf_token: 'A'.repeat(43) }),
      await out({ csrf_token: token }, { origin: 'https://elsewhere.example' }),
      await out({ csrf_token: token }, { origin: 'null' }),
      await out({ csrf_token: token }, { 'sec-fetch-site': 'cross-site' }),
    ])
      expect(refused.status).toBe(403)
    expect(await isSignedIn(browser)).toBe(true)
    expect((await out({ csrf_token: token }, { origin: world.admin.url })).status).toBe(200)
    expect(await isSignedIn(browser)).toBe(false)
  })

  test('decides nothing beside a bearer token, which decides alone', async () => {
    const { browser } = await world.signIn(people.chief)
    const told = await browser.ask(`${world.admin.url}/admin/v1/session`, {
      headers: { authorization: 'Bearer wrong' },
    })
    expect(told.status).toBe(401)
  })

  test('stands in the database as a digest only', async () => {
    const { browser } = await world.signIn(people.chief)
    const cookie = browser.cookiesOf(world.admin.url).get('formulary-session') ?? ''
    const { rows } = await world.house.database.systemPool.query('select * from admin_session')
    const kept = JSON.stringify(rows)
    for (const part of cookie.split('.')) {
      expect(kept).not.toContain(part)
      expect(kept).not.toContain(Buffer.from(part, 'base64url').toString('hex'))
    }
  })
})

test.each([
  'https://elsewhere.example/',
  '//elsewhere.example',
  '/\\elsewhere.example',
  '/%09/elsewhere.example/..//elsewhere.example',
  '/x/..//elsewhere.example',
  'javascript:alert(1)',
  '/\telsewhere',
])('after a sign-in nobody is sent to %s', async (to) => {
  const browser = new Browser()
  const page = await browser.ask(await world.comeBack(people.chief, browser, to))
  const location = new URL(page.headers.get('location') ?? '', world.admin.url)
  expect([page.status, location.origin]).toEqual([303, world.admin.url])
  expect(location.pathname.startsWith('//')).toBe(false)
})

test('strangers who come back with nothing leave no row; an address that is wrong sixty times in a minute waits', async () => {
  const before = await countSessions()
  const url = `${world.admin.url}/sign-in/callback/clinic?code=x&state=y`
  for (let wrong = 0; wrong < 70; wrong++) expect((await new Browser().ask(url)).status).toBe(400)
  const browser = new Browser()
  await world.comeBack(people.chief, browser)
  const attempt = browser.cookiesOf(world.admin.url).get('formulary-sign-in') ?? ''
  let stopped = await browser.ask(url)
  for (let wrong = 0; wrong < 60 && stopped.status === 400; wrong++) {
    browser.cookiesOf(world.admin.url).set('formulary-sign-in', attempt)
    stopped = await browser.ask(url)
  }
  expect(stopped.status).toBe(429)
  expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await countSessions()).toBe(before)
})
