import { existsSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemTransaction } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { actOnLicense } from '../../src/licensing/index.ts'
import { untilUnfolded } from '../../src/metering/index.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { serveAdmin } from '../../src/platform/node/serve-admin.ts'
import { mintAdminToken, openHouse, tester, testPepper, type House } from '../support/house.ts'

const hostile = `<script>alert('1')</script> & "Sons"`

interface Served {
  readonly url: string
  stop(): Promise<void>
}

let house: House
let admin: Served
let ownerToken: string
const served: Served[] = []

async function serve(options: { databaseUrl?: string; isProduction?: boolean } = {}): Promise<Served> {
  const listening = await serveAdmin({
    host: '127.0.0.1',
    port: 0,
    databaseUrl: options.databaseUrl ?? house.databases.appUrl,
    databaseRole: undefined,
    ownerToken: 'fml_owner_a token of the tests, and of nothing else',
    adminUrl: undefined,
    environment: {},
    keyPepper: testPepper,
    gatewayUrl: house.url,
    isProduction: options.isProduction ?? false,
    log: nodeLog('silent'),
    isReady: () => true,
  })
  const one = { url: `http://127.0.0.1:${listening.port}`, stop: () => listening.stop() }
  served.push(one)
  return one
}

beforeAll(async () => {
  house = await openHouse({
    replace: {
      'lakeside/tenant.yaml': (text) => text.replace('name: Lakeside Health', `name: ${JSON.stringify(hostile)}`),
    },
  })
  ownerToken = await mintAdminToken(house.database, { name: 'Ada Moreno', roles: ['owner-admin'] })
  admin = await serve()
})
afterAll(async () => {
  await Promise.all(served.map((one) => one.stop()))
  await house.stop()
})

const signIn = (to: Served, token: string, headers: Record<string, string> = {}) =>
  fetch(`${to.url}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ token }),
    redirect: 'manual',
  })

const cookieOf = (response: Response) => (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
const csrfTokenIn = (page: string) => /name="csrf_token" type="hidden" value="([^"]+)"/.exec(page)?.[1] ?? ''
const open = (to: Served, cookie: string) => fetch(`${to.url}/`, { headers: { cookie } })
const signedIn = async (to: Served) => (await open(to, cookieOf(await signIn(to, ownerToken)))).text()

async function call() {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.key('lakeside/ehr')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
  })
  await response.text()
  expect(response.status).toBe(200)
}

describe('the way in', () => {
  test('who is not signed in is asked for the token and sees nothing else', async () => {
    for (const cookie of ['', 'formulary-session=', `formulary-session=${'0'.repeat(43)}.${'0'.repeat(43)}`]) {
      const page = await (await open(admin, cookie)).text()
      expect(page).toContain('Admin token')
      expect(page).not.toContain('LIC-')
    }
  })

  test('a wrong token gets the same page with what is wrong, and no session', async () => {
    const refused = await signIn(admin, 'wrong')
    expect(refused.status).toBe(403)
    expect(refused.headers.get('set-cookie')).toBeNull()
    expect(await refused.text()).toContain('That is no admin token that works')
  })

  test('the right token opens a session of eight hours that no script can read', async () => {
    const answer = await signIn(admin, ownerToken)
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('/')
    const [, ...attributes] = (answer.headers.get('set-cookie') ?? '').split('; ')
    expect(attributes.toSorted()).toEqual(['HttpOnly', 'Max-Age=28800', 'Path=/', 'SameSite=Lax'])
  })

  test('in production the session travels over TLS only', async () => {
    const answer = await signIn(await serve({ isProduction: true }), ownerToken)
    expect(answer.headers.get('set-cookie')).toMatch(
      /^__Host-formulary-session=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
  })

  test('a cookie that was tampered with is none', async () => {
    const cookie = cookieOf(await signIn(admin, ownerToken))
    expect(await (await open(admin, cookie)).text()).toContain('Overview')
    for (const at of [0, 50]) {
      const place = 'formulary-session='.length + at
      const other = cookie.slice(0, place) + (cookie[place] === 'A' ? 'B' : 'A') + cookie.slice(place + 1)
      expect(await (await open(admin, other)).text()).toContain('Admin token')
    }
  })

  test('signing out ends the session, here and wherever else its cookie is', async () => {
    const cookie = cookieOf(await signIn(admin, ownerToken))
    const csrfToken = csrfTokenIn(await (await open(admin, cookie)).text())
    const out = (body: Record<string, string>) =>
      fetch(`${admin.url}/sign-out`, {
        method: 'POST',
        headers: { cookie },
        body: new URLSearchParams(body),
        redirect: 'manual',
      })
    for (const wrong of [{}, { csrf_token: 'wrong' }]) expect((await out(wrong)).status).toBe(403)
    expect(await (await open(admin, cookie)).text()).toContain('Overview')
    const answer = await out({ csrf_token: csrfToken })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    expect(answer.headers.get('set-cookie')).toMatch(/^formulary-session=; Max-Age=0/)
    expect(await (await open(admin, cookie)).text()).toContain('Admin token')
  })

  test('a form that another site sends is refused', async () => {
    for (const origin of ['https://elsewhere.example', 'null'])
      expect((await signIn(admin, ownerToken, { origin })).status).toBe(403)
    expect((await signIn(admin, ownerToken, { origin: admin.url })).status).toBe(303)
  })

  test('after ten wrong tokens in a minute not even the right one is compared', async () => {
    const other = await serve()
    for (let attempt = 0; attempt < 10; attempt++) expect((await signIn(other, `wrong ${attempt}`)).status).toBe(403)
    const refused = await signIn(other, ownerToken)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.text()).toContain('Too many sign-ins that did not work')
  })

  test('a form larger than any token is not read', async () => {
    expect((await signIn(admin, 'x'.repeat(10_000))).status).toBe(413)
  })

  test('every page forbids script, frames and everything from elsewhere', async () => {
    const answer = await open(admin, cookieOf(await signIn(admin, ownerToken)))
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    )
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const page = await answer.text()
    expect(page).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=/i)
    const links = [...page.matchAll(/(?:href|src|action)="([^"]+)"/g)].map(([, to = '']) => to)
    expect(links.filter((to) => !to.startsWith('/organizations/')).toSorted()).toEqual(
      ['#main', '/', '/', '/console.css', '/finance', '/sign-out', 'data:,'].toSorted(),
    )
  })

  test('what is not there is a problem in JSON, and health needs no session', async () => {
    const missing = await fetch(`${admin.url}/no-such-page`)
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
    expect((await fetch(`${admin.url}/healthz`)).status).toBe(200)
  })
})

describe('the overview', () => {
  test('before the first call of the month it says how to make one', async () => {
    const page = await signedIn(admin)
    expect(page).toContain('No calls yet this month')
    expect(page).toContain(`curl ${house.url}/v1/chat/completions`)
  })

  test('an organization’s name is text, whatever it contains', async () => {
    const page = await signedIn(admin)
    expect(page).not.toContain('<script')
    expect(page).toContain('&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Sons&quot;')
  })

  test('it shows the owner, licenses with their state, versions with their reach, and live keys', async () => {
    const page = (await signedIn(admin)).replaceAll(/\s+/g, ' ')
    for (const words of [
      'The Clinic',
      'Owner of the models',
      'LIC-LAKESIDE',
      'In force until January 1, 2036',
      'Scribe',
      'Recalled on',
      'The owner’s experts',
      'Tokens per month',
      'of 1,000,000,000 tokens',
    ])
      expect(page).toContain(words)
  })

  test('a suspended license says so, since when and why', async () => {
    const wish = { reason: 'invoice <b>overdue</b>', actor: tester, until: undefined, now: instant(Date.now()) }
    await systemTransaction(house.database, 'administer', (tx) =>
      actOnLicense(tx, { license: 'LIC-PRAIRIE', act: 'suspend', ...wish }),
    )
    const page = await signedIn(admin)
    expect(page).toMatch(
      /Suspended on [A-Z][a-z]+ \d+, \d{4}, until it is resumed: invoice &lt;b&gt;overdue&lt;\/b&gt;/,
    )
  })

  test('calls of this month stand in it with their exact charge', async () => {
    await call()
    await call()
    await untilUnfolded(house.database)
    const page = await signedIn(admin)
    const { rows } = await ledger(
      'select sum(charge_picos)::text as charge, sum(output_tokens)::text as output from usage_event',
    )
    const charge = (Number(rows[0].charge) / 1e12).toString()
    expect(page).not.toContain('No calls yet')
    expect(page).toContain(`${charge} USD`)
    expect(page).toContain(`<span>${rows[0].output}</span>`)
  })

  test('a ledger that takes too long costs the page its sums, and calls nothing', async () => {
    const client = new pg.Client({ connectionString: house.databases.ownerUrl })
    await client.connect()
    await client.query('begin')
    await client.query('lock table usage_day in access exclusive mode')
    const slow = signedIn(admin)
    try {
      expect(await slow).toContain('The ledger took too long to add up')
    } finally {
      await client.query('rollback')
      await client.end()
    }
    await call()
    expect(await signedIn(admin)).not.toContain('took too long')
  })

  test('without a database it says so and nothing else', async () => {
    const away = await serve({ databaseUrl: 'postgres://formulary_app:x@127.0.0.1:1/nothing' })
    const answers = [
      await signIn(away, ownerToken),
      await open(away, cookieOf(await signIn(admin, ownerToken))),
      await fetch(`${away.url}/sign-in/start?tenant=clinic`),
    ]
    for (const answer of answers) {
      expect(answer.status).toBe(503)
      expect(await answer.text()).toContain('Not available now')
    }
    expect(await (await fetch(`${away.url}/`)).text()).toContain('Admin token')
  })

  async function ledger(text: string) {
    const client = new pg.Client({ connectionString: house.databases.appUrl, options: '-c app.system=on' })
    await client.connect()
    try {
      return await client.query(text)
    } finally {
      await client.end()
    }
  }
})

/** Runs in the page, where there is no TypeScript. */
const faults = readFileSync(new URL('../support/page-faults.js', import.meta.url), 'utf8')

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
if (executablePath === undefined) console.log('not tried: the console in a browser needs a Chromium in /usr/bin')

describe.skipIf(executablePath === undefined)('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    })
  })
  afterAll(() => browser.close())

  async function openPage(options: { width: number; colorScheme: 'light' | 'dark' }): Promise<Page> {
    const { width, colorScheme } = options
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
    const page = await context.newPage()
    await page.goto(`${admin.url}/`)
    return page
  }

  test('the keyboard alone leads in and out again', async () => {
    const page = await openPage({ width: 1280, colorScheme: 'light' })
    for (const at of ['Skip to the content', 'organization', 'Continue', 'token']) {
      await page.keyboard.press('Tab')
      const focused = page.locator(':focus')
      expect([await focused.getAttribute('id'), (await focused.textContent())?.trim()]).toContain(at)
    }
    await page.keyboard.type(ownerToken)
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:text("Overview")')
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').textContent()).toBe('Skip to the content')
    for (const place of ['Overview', 'Finance']) {
      await page.keyboard.press('Tab')
      expect(await page.locator(':focus').textContent()).toBe(place)
    }
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').textContent()).toBe('Sign out')
    const outline: unknown = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
    expect(outline).toBe('solid')
    await page.keyboard.press('Enter')
    await page.waitForSelector('#token')
    await page.context().close()
  })

  test.each([
    { width: 1280, colorScheme: 'light' },
    { width: 320, colorScheme: 'light' },
    { width: 1280, colorScheme: 'dark' },
    { width: 320, colorScheme: 'dark' },
  ] as const)(
    '$width pixels wide and $colorScheme: nothing is cut off, named nowhere, or hard to read',
    async (how) => {
      const page = await openPage(how)
      expect(await page.evaluate(faults)).toEqual([])
      await page.fill('#token', ownerToken)
      await page.keyboard.press('Enter')
      await page.waitForSelector('h1:text("Overview")')
      expect(await page.evaluate(faults)).toEqual([])
      await page.context().close()
    },
  )
})
