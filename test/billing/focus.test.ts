import Fraction from 'fraction.js'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkFocus, loadInvoices, readDocument } from '../../src/billing/index.ts'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { close, focusFiles, licenses, makeFocusMonths, type FocusTexts } from './focus-month.ts'
import { tablesOf } from './focus-table.ts'
import { look } from './month.ts'

let databases: TestDatabase
let database: Database
let open: FocusTexts
let closed: FocusTexts

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await makeFocusMonths(database, 20_260_901)
  open = await focusFiles(database, '2026-09', { now: '2026-09-20T00:00:00Z' })
  for (const license of licenses) await close(database, license, '2026-09', '2026-10-02T00:00:00Z')
  closed = await focusFiles(database, '2026-09')
})
afterAll(async () => {
  await database.close()
  await databases.drop()
})

const checked = (texts: FocusTexts) => checkFocus(Object.entries(texts).map(([name, text]) => ({ name, text: [text] })))

test('a closed month with everything in it breaks no rule', async () => {
  const found = await checked(closed)
  expect(found).toMatchObject({ violations: [], count: 0 })
})

test('an open month breaks none either', async () => {
  expect(await checked(open)).toMatchObject({ violations: [], count: 0 })
})

interface Charge {
  readonly [column: string]: string
}
const chargesOf = (texts: FocusTexts): readonly Charge[] => {
  const { header, rows } = tablesOf(texts)['cost-and-usage']
  return rows.map((row) => Object.fromEntries(header.map((column, at) => [column, row[at] ?? ''])))
}

test('every kind of charge is in it', () => {
  const kinds = new Set(
    chargesOf(closed).flatMap((row) => [
      row['x_LineKind'],
      row['ChargeCategory'],
      `${row['x_Phase']} phase`,
      row['BillingCurrency'],
      `${row['x_LineKind']} ${row['ChargeClass']}`,
      (row['SkuPriceId'] ?? '').split('/').at(-1),
    ]),
  )
  for (const kind of ['usage', 'facility', 'commitment', 'correction', 'credit_bought', 'credit_used', 'tax'])
    expect(kinds).toContain(kind)
  for (const category of ['Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment']) expect(kinds).toContain(category)
  for (const other of ['term phase', 'grace phase', 'evaluation phase', 'USD', 'EUR', 'correction Correction'])
    expect(kinds).toContain(other)
  for (const step of ['included', 'step-1', 'step-2', 'package', 'list', 'month']) expect(kinds).toContain(step)
})

test('billed costs add up to each invoice, to each of its lines and to each share of a line, to the last place', async () => {
  const billed = new Map<string, Fraction>()
  const add = (key: string, amount: string, sign = 1) =>
    billed.set(key, (billed.get(key) ?? new Fraction(0)).add(new Fraction(amount).mul(sign)))
  for (const row of chargesOf(closed)) {
    const { InvoiceId: invoice = '', InvoiceDetailId: line = '', SubAccountId: site = '', BilledCost: cost = '' } = row
    for (const key of [invoice, `${invoice} ${line}`, ...(site === '' ? [] : [`${invoice} ${line} ${site}`])])
      add(key, cost)
  }
  const invoices = await look(database, async (tx) =>
    (await loadInvoices(tx, {})).filter(({ number }) => billed.has(number)),
  )
  expect(invoices.map(({ number }) => number).toSorted()).toEqual([
    'CRN-000001',
    'INV-000003',
    'INV-000004',
    'INV-000005',
  ])
  for (const { document } of invoices) {
    const { number, total, lines, buyer } = readDocument(document)
    add(number, total, -1)
    for (const { line, amount, shares } of lines) {
      add(`${number} ${line}`, amount, -1)
      for (const share of shares) add(`${number} ${line} ${buyer.tenant}/${share.facility}`, share.amount, -1)
    }
  }
  expect([...billed].filter(([, left]) => !left.equals(0))).toEqual([])
})

test('input and output tokens are SKUs of their own, a row for each day, facility, region and price', () => {
  const used = chargesOf(closed).filter((row) => row['ChargeCategory'] === 'Usage' && row['ChargeClass'] === '')
  const names = used.map((row) =>
    ['x_LicenseId', 'SkuPriceId', 'x_Phase', 'ChargePeriodStart', 'SubAccountId', 'RegionId']
      .map((column) => row[column])
      .join(' '),
  )
  expect(new Set(names).size).toBe(names.length)
  expect(new Set(used.map((row) => row['SkuId']))).toEqual(
    new Set([
      'ecg-low-ef/inferences',
      'ecg-low-ef/requests',
      'scribe/input_tokens',
      'scribe/output_tokens',
      'scribe/requests',
    ]),
  )
})

test('a closed month is told the same whenever it is told; of an open one every row says that it may change', async () => {
  expect(await focusFiles(database, '2026-09', { now: '2027-03-01T00:00:00Z' })).toEqual(closed)
  const of = (texts: FocusTexts) =>
    new Set(
      chargesOf(texts)
        .filter((row) => !(row['InvoiceId'] ?? '').startsWith('CRN'))
        .map((row) => row['x_IsProvisional']),
    )
  expect([of(open), of(closed)]).toEqual([new Set(['true']), new Set(['false'])])
})

test('JSON lines say the same, and break no rule', async () => {
  const lines = await focusFiles(database, '2026-09', { format: 'jsonl' })
  expect(await checked(lines)).toMatchObject({ violations: [], count: 0 })
  expect(lines['cost-and-usage'].trim().split('\n')).toHaveLength(chargesOf(closed).length)
})

test('a tenant’s files name no other tenant', async () => {
  const lakeside = await focusFiles(database, '2026-09', { tenant: 'lakeside' })
  expect(new Set(chargesOf(lakeside).map((row) => row['BillingAccountId']))).toEqual(new Set(['lakeside']))
  expect(Object.values(lakeside).join('')).not.toMatch(/prairie|LIC-OWNER|LIC-PRAIRIE/)
})

test('a row that somebody altered is noticed, and its month not told', async () => {
  const superuser = new pg.Pool({ connectionString: databases.ownerUrl, max: 1 })
  const alter = async (by: number) => {
    await superuser.query('alter table usage_event no force row level security')
    await superuser.query(
      `update usage_event set output_tokens = output_tokens + $1 where license = 'LIC-LAKESIDE' and model = 'scribe'
         and started_at = (select min(started_at) from usage_event where license = 'LIC-LAKESIDE' and model = 'scribe'
           and started_at >= '2026-09-01')`,
      [by],
    )
    await superuser.query('alter table usage_event force row level security')
  }
  await alter(1)
  await expect(focusFiles(database, '2026-09')).rejects.toThrow('usage_differs')
  await alter(-1)
  await superuser.end()
})
