import { existsSync, readFileSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdmin, testOwnerToken, type Admin } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'
import { closeMonth, declareAt, use } from '../billing/month.ts'

let house: House
let admin: Admin
let cookie: string

const fees = {
  'plans/standard.yaml': (text: string) => `${text}  - { meter: facility, per: month, amount: "310.00" }\n`,
}
const today = new Date().toISOString()

beforeAll(async () => {
  house = await openHouse({ declared: (database) => declareAt(database, '2026-08-01T00:00:00Z', fees) })
  admin = await openAdmin(house)
  await use(house.database, [
    { at: '2026-08-05T00:00:00Z', input: 1_000_000, output: 33_333 },
    { at: '2026-08-06T00:00:00Z', input: 77_777, facility: 'north' },
    { at: '2026-09-05T00:00:00Z', input: 12, outcome: 'expired' },
    { at: today, input: 2_000_000, facility: 'north' },
  ])
  await house.key('lakeside/ehr')
  const closed = await closeMonth(house.database, '2026-08')
  if (!closed.ok) throw new Error(closed.error.reason)
  const signedIn = await fetch(`${admin.url}/sign-in`, {
    method: 'POST',
    body: new URLSearchParams({ token: testOwnerToken }),
    redirect: 'manual',
  })
  cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

const get = (path: string, headers: Record<string, string> = { cookie }) =>
  fetch(admin.url + path, { headers, redirect: 'manual' })
const read = async (path: string) => (await (await get(path)).text()).replaceAll(/\s+/g, ' ')

test('who is not signed in sees none of it', async () => {
  for (const path of ['/finance', '/organizations/lakeside']) {
    const page = await (await get(path, {})).text()
    expect(page).toContain('Owner token')
    expect(page).not.toContain('LIC-')
  }
  expect((await get('/invoices/INV-000001', {})).status).toBe(303)
})

test('a month says of each license whether it is closed, what is missing, and what it came to', async () => {
  const august = await read('/finance?month=2026-08')
  expect(august).toContain('Closed on December 2, 2026 by a test')
  expect(august).toContain('href="/invoices/INV-000001"')
  expect(august).toMatch(/<dt>Invoiced<\/dt> <dd>623\.73 USD<\/dd>/)
  expect(august).toContain('Nothing: it can be closed')
  const september = await read('/finance?month=2026-09')
  expect(september).toContain('To be explained: 1 calls whose end nobody knows, charged nothing.')
  expect(september).toContain('Earlier months come first: open before it: 2026-08.')
  expect(september).toContain('Nothing of September 2026 has been invoiced.')
  expect(await read(`/finance?month=${today.slice(0, 7)}`)).toContain('The month is not over.')
  expect(await read('/finance?month=2026-07')).toContain('No license had begun in July 2026')
  // What is no month is the last one that is over.
  expect((await get('/finance?month=x')).status).toBe(200)
})

test('an organization sees its keys, its use, what it will cost and its invoices, and nothing of others', async () => {
  const page = await read('/organizations/lakeside')
  expect(page).toContain('This is a preview and no invoice.')
  expect(page).toContain('<strong>626.00 USD</strong>')
  expect(page).toContain('scribe, input tokens')
  expect(page).toContain('INV-000001')
  expect(page).toMatch(/<td role="cell" data-label="May be used for" ?><span>chat, embeddings<\/span>/)
  expect(page).not.toMatch(/prairie/i)
  expect(await read('/organizations/prairie')).not.toMatch(/lakeside|INV-000001/i)
  expect((await get('/organizations/nobody')).status).toBe(404)
})

test('an invoice opens as the page that is printed, and what is none leads back', async () => {
  const invoice = await get('/invoices/INV-000001')
  expect(invoice.headers.get('content-security-policy')).toContain("style-src 'unsafe-inline'")
  expect(await invoice.text()).toContain('<h1>Invoice<small>INV-000001</small></h1>')
  expect((await get('/invoices/INV-999999')).headers.get('location')).toBe('/finance')
})

test('no page has script, a style of its own or anything from elsewhere', async () => {
  for (const path of ['/finance?month=2026-08', '/organizations/lakeside']) {
    const answer = await get(path)
    expect(answer.headers.get('content-security-policy')).toContain("style-src 'self'")
    expect(await answer.text()).not.toMatch(/<script|<style|\sstyle=|\son[a-z]+=|https?:\/\//i)
  }
})

const faults = readFileSync(new URL('../support/page-faults.js', import.meta.url), 'utf8')
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)

describe.skipIf(executablePath === undefined)('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    })
  })
  afterAll(() => browser.close())

  test.each([
    { width: 1280, colorScheme: 'light' },
    { width: 320, colorScheme: 'light' },
    { width: 1280, colorScheme: 'dark' },
    { width: 320, colorScheme: 'dark' },
  ] as const)('$width pixels wide and $colorScheme: every page can be read and reached', async (how) => {
    const context = await browser.newContext({
      viewport: { width: how.width, height: 800 },
      colorScheme: how.colorScheme,
    })
    const [name = '', value = ''] = cookie.split('=')
    await context.addCookies([{ name, value, url: admin.url }])
    const page = await context.newPage()
    for (const path of ['/', '/?find=nobody', '/finance?month=2026-09', '/organizations/lakeside']) {
      await page.goto(admin.url + path)
      expect([path, await page.evaluate(faults)]).toEqual([path, []])
      const shots = process.env['SHOTS']
      if (shots !== undefined)
        await page.screenshot({
          path: `${shots}/${path.replaceAll(/\W+/g, '_')}-${how.width}-${how.colorScheme}.png`,
          fullPage: true,
        })
    }
    await page.goto(`${admin.url}/`)
    await page.fill('#find', 'prairie')
    await page.keyboard.press('Enter')
    await page.waitForURL(/find=prairie/)
    expect(await page.locator('main').textContent()).toContain('1 organization found')
    await context.close()
  })
})
