import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser } from '../support/browser.ts'
import { openSignInHouse, people, type SignInHouse } from '../support/sign-in.ts'

let world: SignInHouse
beforeAll(async () => {
  world = await openSignInHouse()
})
afterAll(() => world?.stop())

const api = (path: string): string => `${world.admin.url}/admin/v1${path}`

/** What a script of the console's own pages would send. */
async function post(browser: Browser, path: string, body: object, headers: Record<string, string> = {}) {
  const { csrf_token: token } = JSON.parse((await browser.ask(api('/session'))).text) as { csrf_token: string }
  const cookie = [...browser.cookiesOf(world.admin.url)].map(([name, value]) => `${name}=${value}`).join('; ')
  const response = await fetch(api(path), {
    method: 'POST',
    headers: {
      cookie,
      'x-csrf-token': token,
      'content-type': 'application/json',
      'idempotency-key': crypto.randomUUID(),
      origin: world.admin.url,
      ...headers,
    },
    body: JSON.stringify(body),
  })
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  }
}

async function get(browser: Browser, path: string) {
  const { status, text } = await browser.ask(api(path))
  return { status, body: JSON.parse(text) as Record<string, unknown> }
}

const entries = async (action: string) => {
  const { rows } = await world.house.database.systemPool.query<{
    agent_kind: string
    agent_name: string
    facts: Record<string, unknown>
    reason: string | null
  }>('select agent_kind, agent_name, facts, reason from audit_entry where action = $1 order by entry_id', [action])
  return rows
}

describe('a person', () => {
  test('of the owner signs in at the owner’s provider, sees the overview and asks the API', async () => {
    const { browser, page } = await world.signIn(people.chief)
    expect([page.status, page.url.pathname]).toEqual([200, '/'])
    expect(page.text).toContain('Ada Moreno, owner-admin')
    expect(page.text).toContain('LIC-LAKESIDE')
    expect((await get(browser, '/tenants')).status).toBe(200)
    expect((await get(browser, '/session')).body).toMatchObject({
      kind: 'person',
      name: `owner-1 at ${world.owners.issuer}`,
      shown_as: 'Ada Moreno',
      roles: ['owner-admin'],
      tenant: null,
    })
  })

  test('of a hospital signs in at the hospital’s own, and there is nobody else', async () => {
    const { browser, page } = await world.signIn(people.lakesideAdmin)
    expect([page.status, page.url.pathname]).toEqual([200, '/'])
    expect(page.text).toContain('Lena Lake, tenant-admin')
    for (const shown of ['LIC-LAKESIDE', 'What your organization may use']) expect(page.text).toContain(shown)
    for (const hidden of ['LIC-PRAIRIE', 'Prairie', 'LIC-OWNER', 'Model versions', 'The owner’s experts'])
      expect(page.text).not.toContain(hidden)
    expect((await get(browser, '/tenants')).body).toMatchObject({ data: [{ tenant: 'lakeside' }] })
    for (const path of [
      '/tenants/prairie',
      '/tenants/prairie/keys',
      '/licenses/LIC-PRAIRIE',
      '/sessions?tenant=clinic',
    ])
      expect((await get(browser, path)).status).toBe(404)
  })

  test('whose groups stand in userinfo alone has their roles', async () => {
    const { browser } = await world.signIn(people.lakesideViewer)
    expect((await get(browser, '/session')).body).toMatchObject({ roles: ['tenant-viewer'], tenant: 'lakeside' })
    expect((await post(browser, '/tenants/lakeside/applications/ehr/keys', {})).body).toMatchObject({
      reason: 'role_missing',
    })
  })

  test('without a group that has a role is told so, and whom to ask, and is not signed in', async () => {
    const { browser, page } = await world.signIn(people.nurse)
    expect(page.status).toBe(403)
    expect(page.text).toContain('You have no role here')
    expect(page.text).toContain('Eve Nobody')
    expect(page.text).toContain('Ask the licensing office of The Clinic')
    expect((await get(browser, '/session')).status).toBe(401)
  })

  test('who loses a group loses its role with the next sign-in', async () => {
    const { browser } = await world.signIn(people.office)
    expect((await get(browser, '/session')).body).toMatchObject({ roles: ['licensing'] })
    const fewer = { ...people.office, groups: ['formulary-audit'] }
    const { browser: other } = await world.signIn(fewer)
    expect((await get(other, '/session')).body).toMatchObject({ roles: ['auditor'] })
    // Wherever else they are signed in with more.
    expect((await get(browser, '/session')).status).toBe(401)
    const none = await world.signIn({ ...people.office, groups: [] }, browser)
    expect(none.page.status).toBe(403)
    expect((await get(other, '/session')).status).toBe(401)
  })

  test('goes on to where they were going', async () => {
    const browser = new Browser()
    const back = await world.comeBack(people.chief, browser, '/?month=2026-11')
    const page = await browser.ask(back)
    expect([page.status, page.headers.get('location')]).toEqual([303, '/?month=2026-11'])
  })

  test('stands in the log by issuer and subject, and with the name that people read at the beginning', async () => {
    const { browser } = await world.signIn(people.lakesideAdmin)
    const made = await post(browser, '/tenants/lakeside/applications/ehr/keys', {})
    expect(made.status).toBe(201)
    const name = `lake-1 at ${world.lakesides.issuer}`
    expect((await entries('key.create')).at(-1)).toMatchObject({ agent_kind: 'person', agent_name: name })
    expect((await entries('session.begin')).at(-1)).toMatchObject({
      agent_name: name,
      facts: { shownAs: 'Lena Lake', roles: ['tenant-admin'] },
    })
  })
})

describe('the page of ways in', () => {
  test('names the owner’s provider, asks for an organization, and takes a token', async () => {
    const page = await new Browser().ask(`${world.admin.url}/`)
    expect(page.text).toContain('Sign in with The Clinic')
    expect(page.text).toContain('Short name of your organization')
    expect(page.text).toContain('Admin token')
  })

  test('shows where an organization’s people sign in before it sends anybody there', async () => {
    const page = await new Browser().ask(`${world.admin.url}/sign-in?organization=lakeside`)
    expect(page.status).toBe(200)
    expect(page.text).toContain(`Continue to ${new URL(world.lakesides.issuer).host}`)
    expect(page.text).toContain('href="/sign-in/start?tenant=lakeside&amp;to=%2F"')
  })

  test.each(['prairie', 'nobody', '<b>', 'x'.repeat(300)])(
    'says the same of %s, which has no provider',
    async (name) => {
      for (const path of [
        `/sign-in?organization=${encodeURIComponent(name)}`,
        `/sign-in/start?tenant=${encodeURIComponent(name)}`,
      ]) {
        const page = await new Browser().ask(world.admin.url + path)
        expect(page.status).toBe(404)
        expect(page.text).toContain('Nobody can sign in as one of')
        expect(page.text).not.toContain('<b>')
      }
    },
  )
})

describe('a session', () => {
  test('ends with signing out, and the provider is told where it has a place for that', async () => {
    const { browser, page } = await world.signIn(people.chief)
    const token = /name="csrf_token" type="hidden" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    const stolen = new Map(browser.cookiesOf(world.admin.url))
    const out = await browser.ask(`${world.admin.url}/sign-out`, { form: { csrf_token: token } })
    expect(out.status).toBe(200)
    expect(out.text).toContain('You are signed out')
    const href = /<a class="way" href="([^"]+)"/.exec(out.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect(href).toContain(`${world.owners.issuer}/session/end?`)
    expect((await fetch(href)).status).toBe(200)
    const thief = new Browser()
    for (const [name, value] of stolen) thief.cookiesOf(world.admin.url).set(name, value)
    expect((await get(thief, '/session')).status).toBe(401)
  })

  test('is listed, and ended by an administrator: one, those of a person, those of a tenant', async () => {
    const chief = (await world.signIn(people.chief)).browser
    const lena = [
      (await world.signIn(people.lakesideAdmin)).browser,
      (await world.signIn(people.lakesideAdmin)).browser,
    ]
    const luis = (await world.signIn(people.lakesideViewer)).browser
    const listed = await get(chief, '/sessions?tenant=lakeside')
    expect(listed.body['data']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ shown_as: 'Lena Lake', tenant: 'lakeside', roles: ['tenant-admin'] }),
        expect.objectContaining({ shown_as: 'Luis Lake', tenant: 'lakeside', roles: ['tenant-viewer'] }),
      ]),
    )
    const { session_id: one } = (await get(lena[0] ?? chief, '/session')).body
    // A tenant's administrator ends their own people's, and finds nobody else's.
    const { session_id: chiefs } = (await get(chief, '/session')).body
    expect((await post(lena[1] ?? chief, `/sessions/${String(chiefs)}/end`, { reason: 'no' })).status).toBe(404)
    expect((await post(lena[1] ?? chief, `/sessions/${String(one)}/end`, { reason: 'lost laptop' })).body).toEqual({
      ended: 1,
    })
    expect((await get(lena[0] ?? chief, '/session')).status).toBe(401)
    expect((await entries('session.end')).at(-1)).toMatchObject({ reason: 'lost laptop' })
    const person = `lake-1 at ${world.lakesides.issuer}`
    expect((await post(chief, '/sessions/end', { person, reason: 'left' })).status).toBe(200)
    expect((await get(lena[1] ?? chief, '/session')).status).toBe(401)
    expect((await get(luis, '/session')).status).toBe(200)
    expect((await post(chief, '/sessions/end', { tenant: 'lakeside', reason: 'incident' })).status).toBe(200)
    expect((await get(luis, '/session')).status).toBe(401)
    expect((await get(chief, '/session')).status).toBe(200)
    expect((await post(chief, '/sessions/end', { reason: 'everybody?' })).status).toBe(400)
  })

  test('ends at once when the mapping of its provider changes, and when the provider goes', async () => {
    const before = (await world.signIn(people.lakesideAdmin)).browser
    await world.redeclare((text) => text.replace('formulary-admins: tenant-admin', 'formulary-admins: tenant-viewer'))
    expect((await get(before, '/session')).status).toBe(401)
    const { browser } = await world.signIn(people.lakesideAdmin)
    expect((await get(browser, '/session')).body).toMatchObject({ roles: ['tenant-viewer'] })
    await world.redeclare((text) => text.slice(0, text.indexOf('signIn:')))
    expect((await get(browser, '/session')).status).toBe(401)
    const start = await new Browser().ask(`${world.admin.url}/sign-in/start?tenant=lakeside`)
    expect(start.status).toBe(404)
    await world.redeclare((text) => text)
    expect((await get(browser, '/session')).status).toBe(401)
  })

  test('gives way when a person has more than ten', async () => {
    const first = (await world.signIn(people.finance)).browser
    for (let more = 0; more < 9; more++) await world.signIn(people.finance)
    expect((await get(first, '/session')).status).toBe(200)
    await world.signIn(people.finance)
    expect((await get(first, '/session')).status).toBe(401)
  })
})

describe('the rule of two people', () => {
  test('two who have signed in are two; one is one, also with a token of their own making', async () => {
    const ada = (await world.signIn(people.chief)).browser
    const ben = (await world.signIn(people.office)).browser
    const token = await post(ada, '/admin-tokens', { name: 'Automation', roles: ['licensing'], days: 1 })
    expect(token.status).toBe(201)
    const seen = await ada.ask(api('/licenses/LIC-LAKESIDE'))
    const { grant } = JSON.parse(seen.text) as { grant: { rates: object } }
    const wider = { ...grant, rates: { ...grant.rates, concurrency: 20_000 } }
    const ifMatch = { 'if-match': seen.headers.get('etag') ?? '' }
    const asked = await post(ada, '/licenses/LIC-LAKESIDE/amend', { grant: wider }, ifMatch)
    expect(asked.status).toBe(202)
    const approve = `/change-requests/${String(asked.body['change_request'])}/approve`
    const alone = { reason: 'second_person_is_the_first' }
    expect((await post(ada, approve, { reason: 'read' })).body).toMatchObject(alone)
    const again = (await world.signIn({ ...people.chief, name: 'Another Name' })).browser
    expect((await post(again, approve, { reason: 'read' })).body).toMatchObject(alone)
    const byToken = await world.admin.ask(`POST ${approve}`, {
      token: String(token.body['token']),
      body: { reason: 'read' },
    })
    expect(byToken.body).toMatchObject(alone)
    expect(await post(ben, approve, { reason: 'read' })).toMatchObject({ status: 200, body: { state: 'approved' } })
  })
})
