import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { runFormulary } from '../support/run-formulary.ts'
import { declareAt, use } from './month.ts'

let databases: TestDatabase
let database: Database
let folder: string

/** Everything that a plan can say, in one. */
const plan = `plan: standard
currency: USD
commitment: "900.00"
credit: "100.00"
grace: { percent: 125 }
prices:
  - { meter: input_tokens, per: 1000000, amount: "3.00", included: 100000, tiers: graduated, steps: [{ from: 500001, amount: "2.00" }] }
  - { meter: output_tokens, per: 1000000, amount: "15.00" }
  - { meter: requests, per: 1000, amount: "0.50", package: true }
  - { meter: inferences, per: 1, amount: "0.50", tiers: volume, steps: [{ from: 3, amount: "0.40" }] }
  - { meter: facility, per: month, amount: "310.00" }
`

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  folder = mkdtempSync(join(tmpdir(), 'formulary-billing-'))
  await declareAt(database, '2026-09-01T00:00:00Z', { 'plans/standard.yaml': () => plan })
  await use(database, [
    { at: '2026-09-05T00:00:00.000Z', input: 1_000_000, output: 33_333 },
    { at: '2026-09-06T00:00:00.123Z', input: 77_777, facility: 'north' },
    { at: '2026-09-07T00:00:00.456Z', model: 'ecg-low-ef', inferences: 4 },
  ])
})
afterAll(async () => {
  await database.close()
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

const formulary = (...args: readonly string[]) => runFormulary(databases, args)
const saved = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const Closed = z.object({ invoice: z.string(), usageSha256: z.string(), rows: z.string() })

test('before its closing a month says what speaks against it, and what it would come to', async () => {
  const shown = await formulary('period', 'show', 'LIC-LAKESIDE', '--month', '2026-09')
  expect(shown.out).toContain('2026-09 of LIC-LAKESIDE (lakeside) is open.')
  expect(shown.out).toMatch(/met +period-over/)
  const previewed = await formulary('period', 'preview', 'LIC-LAKESIDE', '--month', '2026-09')
  expect(previewed.out).toContain('this is no invoice')
  expect(previewed.out).toMatch(/USD +900\.00/)
  const page = await formulary('period', 'preview', 'LIC-LAKESIDE', '--month', '2026-09', '--format', 'html')
  expect(page.out).toContain('nothing is owed on it')
  expect(await formulary('period', 'preview', 'LIC-LAKESIDE', '--month', '2026-08')).toMatchObject({ status: 1 })
  expect((await formulary('journal', 'list')).out).toBe('Nothing is booked there.\n')
})

test('a month in finance: close, verify, read, explain down to the calls, and recompute from the export alone', async () => {
  const closed = await formulary('period', 'close', 'LIC-LAKESIDE', '--month', '2026-09', '--json')
  expect(closed).toMatchObject({ status: 0, err: '' })
  const { invoice, usageSha256, rows } = Closed.parse(JSON.parse(closed.out))
  expect({ invoice, rows }).toEqual({ invoice: 'INV-000001', rows: '3' })
  expect((await formulary('period', 'verify', 'LIC-LAKESIDE', '--month', '2026-09')).status).toBe(0)

  const exported = (await formulary('usage', 'export', 'LIC-LAKESIDE', '--month', '2026-09')).out
  expect(createHash('sha256').update(exported).digest('hex')).toBe(usageSha256)

  const text = (await formulary('invoice', 'show', invoice)).out
  expect(text).toContain('ecg-low-ef, inferences')
  const lines = text.split('\n').filter((line) => /^ +\d+ {2}/.test(line))
  expect(lines.map((line) => line.trim().split(/ {2,}/).at(-1)?.split(' ').at(-1))).toEqual([
    '0.50', // ecg-low-ef: one package of requests
    '1.60', // four inferences, all at the amount of the third
    '2.46', // 500,000 at 3.00 and 477,777 at 2.00 a million, after 100,000 that are included: 1.50 and 0.955554
    '0.50', // 33,333 at 15.00: 0.499995
    '0.50', // scribe: one package of requests
    '620.00', // two facilities
    '274.44', // to 900.00
    '100.00', // credit bought
    '-100.00', // and used
  ])

  const calls = await formulary('invoice', 'show', invoice, '--line', '3')
  expect(calls.out).toContain(`Line 3 of ${invoice}: 2 calls, 1077777 units.`)

  const recompute = (exportPath: string, planPath: string) =>
    formulary(
      'invoice',
      'recompute',
      '--invoice',
      saved('invoice.json', document.out),
      '--export',
      exportPath,
      '--plan',
      planPath,
    )
  const document = await formulary('invoice', 'show', invoice, '--format', 'json')
  const again = await recompute(saved('usage.csv', exported), saved('plan.yaml', plan))
  expect(again).toMatchObject({ status: 0, err: '' })
  expect(again.out).toContain(`${invoice} is what your export makes of it.`)
  const edited = exported.replace(',33333,', ',3333333,')
  const differs = await recompute(saved('edited.csv', edited), saved('plan.yaml', plan))
  expect(differs.status).toBe(1)
  expect(differs.out).toContain('DIFFERS')
  const otherPlan = await recompute(saved('usage.csv', exported), saved('other.yaml', plan.replace('15.00', '14.00')))
  expect(otherPlan).toMatchObject({
    status: 1,
    err: expect.stringContaining('revision 1 of standard is not among the plans'),
  })
})

test('what was invoiced is booked, and the journal adds up', async () => {
  const sums = z
    .array(z.object({ account: z.string(), debits: z.string(), credits: z.string() }))
    .parse(JSON.parse((await formulary('journal', 'sums', '--month', '2026-09', '--json')).out))
  expect(sums.find(({ account }) => account === 'receivable')?.debits).toBe('900.00')
  const listed = await formulary('journal', 'list', '--license', 'LIC-LAKESIDE', '--account', 'rounding')
  expect(listed.out).toContain('INV-000001  LIC-LAKESIDE')
  expect((await formulary('journal', 'sums', '--account', 'cash')).status).toBe(2)
})

test('the invoice as CSV adds up to its total, and as a page it is whole in itself', async () => {
  const csv = (await formulary('invoice', 'show', 'INV-000001', '--format', 'csv')).out
  const amounts = csv
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => BigInt((line.split(',').at(-3) ?? '').replace('.', '')))
  expect(amounts.reduce((sum, amount) => sum + amount, 0n)).toBe(90000n)
  const page = (await formulary('invoice', 'show', 'INV-000001', '--format', 'html')).out
  expect(page).not.toMatch(/<script|https?:\/\//)
  expect(page).toContain('<td class="n">USD 900.00</td>')
})

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
if (executablePath === undefined) console.log('not tried: the invoice in a browser needs a Chromium in /usr/bin')

test.skipIf(executablePath === undefined)('the page fits its paper and says what is to be paid', async () => {
  const page = (await formulary('invoice', 'show', 'INV-000001', '--format', 'html')).out
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })
  try {
    const shown = await browser.newPage({ viewport: { width: 900, height: 1200 } })
    await shown.setContent(page)
    expect(await shown.getByRole('heading', { level: 1 }).textContent()).toContain('INV-000001')
    expect(await shown.locator('tfoot').textContent()).toContain('USD 900.00')
    expect(await shown.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  } finally {
    await browser.close()
  }
})

test('one row that somebody altered is noticed', async () => {
  const superuser = new pg.Pool({ connectionString: databases.ownerUrl, max: 1 })
  try {
    await superuser.query('alter table usage_event no force row level security')
    await superuser.query(`update usage_event set output_tokens = output_tokens + 1 where output_tokens = 33333`)
    await superuser.query('alter table usage_event force row level security')
  } finally {
    await superuser.end()
  }
  const verified = await formulary('period', 'verify', 'LIC-LAKESIDE', '--month', '2026-09')
  expect(verified).toMatchObject({
    status: 1,
    err: expect.stringContaining('the hash of the rows is not what was frozen'),
  })
})

test('what a command cannot do it says in one line', async () => {
  const refused = async (...args: readonly string[]) => {
    const { status, err } = await formulary(...args)
    return [status, err.trim()]
  }
  expect(await refused('period', 'close', 'LIC-LAKESIDE')).toEqual([
    2,
    'formulary: which month? formulary period close LIC-LAKESIDE --month 2026-10',
  ])
  expect(await refused('period', 'close', 'LIC-NOBODY', '--month', '2026-09')).toEqual([
    1,
    'formulary: there is no license LIC-NOBODY',
  ])
  expect(await refused('period', 'close', 'LIC-LAKESIDE', '--month', '2026-09')).toEqual([
    1,
    'formulary: 2026-09 of LIC-LAKESIDE is closed: INV-000001',
  ])
  expect(await refused('invoice', 'credit', 'INV-000001', '--reason', 'x')).toEqual([
    1,
    'formulary: INV-000001 moved prepaid credit: formulary period reopen takes it back, and the credit with it',
  ])
})
