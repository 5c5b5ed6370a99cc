import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { runFormulary } from '../support/run-formulary.ts'
import { close, licenses, makeFocusMonths } from './focus-month.ts'

let databases: TestDatabase
let database: Database
let folder: string

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  folder = mkdtempSync(join(tmpdir(), 'formulary-evidence-'))
  await makeFocusMonths(database, 11, 120)
  for (const license of licenses) await close(database, license, '2026-09', '2026-10-02T00:00:00Z')
})
afterAll(async () => {
  await database.close()
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

const formulary = (...args: readonly string[]) => runFormulary(databases, args)
const path = (name: string) => join(folder, name)
const pack = (out: string, ...more: readonly string[]) =>
  formulary('period', 'evidence', 'LIC-LAKESIDE', '--month', '2026-09', '--out', path(out), ...more)
/** Without a database: nothing of it can come from there. */
const nowhere = 'postgres://nobody@127.0.0.1:1/nothing'
const verified = (file: string) =>
  runFormulary({ appUrl: nowhere, ownerUrl: nowhere }, ['period', 'evidence', '--verify', path(file)])

test('the evidence of a month is the same archive whenever it is made, and agrees with itself without a server', async () => {
  expect(await pack('one.tar')).toMatchObject({ status: 0, err: '' })
  // What is done later is no part of it.
  await formulary('invoice', 'credit', 'INV-000005', '--reason', 'later')
  expect(await pack('two.tar')).toMatchObject({ status: 0, err: '' })
  expect(readFileSync(path('two.tar')).equals(readFileSync(path('one.tar')))).toBe(true)
  expect(await verified('one.tar')).toMatchObject({ status: 0, err: '', out: expect.stringContaining('INV-000003') })
})

test('it is an archive that tar opens, with all that an auditor asks for', () => {
  const names = execFileSync('tar', ['tf', path('one.tar')], { encoding: 'utf8' })
    .trim()
    .split('\n')
  expect(names).toEqual([
    'manifest.json',
    'closing.json',
    'usage.csv',
    'usage-late.csv',
    'rated-lines.csv',
    'invoice.json',
    'invoice.csv',
    'invoice.html',
    'journal.csv',
    'focus/cost-and-usage.csv',
    'focus/contract-commitment.csv',
    'focus/billing-period.csv',
    'focus/invoice-detail.csv',
    'audit.jsonl',
  ])
  const audit = execFileSync('tar', ['xfO', path('one.tar'), 'audit.jsonl'], { encoding: 'utf8' })
  expect(audit).toMatch(/period\.closing[^]*period\.close"/)
})

test('a report of the reconciliation is carried as it was written', async () => {
  writeFileSync(path('report.csv'), 'class,rows\r\nlate,1\r\n')
  expect(await pack('with.tar', '--reconciliation', path('report.csv'))).toMatchObject({ status: 0, err: '' })
  expect(execFileSync('tar', ['xfO', path('with.tar'), 'reconciliation/report.csv'], { encoding: 'utf8' })).toBe(
    'class,rows\r\nlate,1\r\n',
  )
  expect(await verified('with.tar')).toMatchObject({ status: 0, err: '' })
})

test('one byte that is another is noticed, wherever it stands', async () => {
  const whole = readFileSync(path('one.tar'))
  for (const [file, text, other] of [
    ['usage.csv', 'us', 'uS'],
    ['invoice.html', 'To pay', 'To Pay'],
    ['journal.csv', 'receivable', 'Receivable'],
    ['focus/cost-and-usage.csv', 'Input Tokens', 'Input tokens'],
    ['audit.jsonl', 'a test', 'A test'],
  ] as const) {
    const from = whole.indexOf(file, whole.indexOf(file) + 1)
    const at = whole.indexOf(text, whole.lastIndexOf(`${file}\0`) === -1 ? from : whole.lastIndexOf(`${file}\0`) + 512)
    const changed = Buffer.from(whole)
    changed.write(other, at)
    writeFileSync(path('changed.tar'), changed)
    const said = await verified('changed.tar')
    expect([file, said.status]).toEqual([file, 1])
    expect(said.err).toContain(`${file} is not what the manifest names`)
  }
  writeFileSync(path('changed.tar'), whole.subarray(0, whole.length - 600))
  expect(await verified('changed.tar')).toMatchObject({ status: 1 })
})

test('the journal of a month is a row per posting, and sums to zero in each currency', async () => {
  const { status, out, err } = await formulary('journal', 'export', '--period', '2026-09')
  expect({ status, err }).toEqual({
    status: 0,
    err: expect.stringMatching(
      /^4 entries, \d+ postings: EUR sums to 0\.00, USD sums to 0\.00\n$|^4 entries, \d+ postings: USD sums to 0\.00, EUR sums to 0\.00\n$/,
    ),
  })
  const [header = '', ...rows] = out.trimEnd().split('\r\n')
  const at = (name: string) => header.split(',').indexOf(name)
  const receivable = rows.map((row) => row.split(',')).filter((row) => row[at('account')] === 'receivable')
  expect(receivable.map((row) => row[at('document')])).toEqual(['INV-000003', 'INV-000004', 'INV-000005', 'CRN-000002'])
})

test('a month is exported as four files, which the check reads without a server', async () => {
  const exported = await formulary('export', 'focus', '--month', '2026-09', '--out', path('focus'))
  expect(exported).toMatchObject({ status: 0, err: '' })
  const files = ['cost-and-usage', 'contract-commitment', 'billing-period', 'invoice-detail'].map((name) =>
    join(folder, 'focus', `${name}-2026-09.csv`),
  )
  const checked = await formulary('focus', 'check', ...files)
  expect(checked).toMatchObject({ status: 0, err: '', out: expect.stringContaining('No rule is broken.') })
  const [first = ''] = files
  writeFileSync(first, readFileSync(first, 'utf8').replace(',Usage,', ',Used,'))
  const broken = await formulary('focus', 'check', ...files)
  expect(broken.status).toBe(1)
  expect(broken.out).toMatch(
    /CAU-ChargeCategory-ALLOWED {2}CostAndUsage, row \d+, ChargeCategory: Used is none of the allowed values/,
  )
  const one = await formulary(
    'export',
    'focus',
    '--month',
    '2026-09',
    '--dataset',
    'billing-period',
    '--tenant',
    'lakeside',
  )
  expect(one).toMatchObject({ status: 0, out: expect.stringContaining(',Closed,The Clinic') })
})

test('what cannot be exported is said in one line', async () => {
  const refused = async (...args: readonly string[]) => {
    const { status, err } = await formulary(...args)
    return [status, err.trim().slice(0, 100)]
  }
  expect(await refused('period', 'evidence', 'LIC-LAKESIDE', '--month', '2026-10', '--out', path('x.tar'))).toEqual([
    1,
    'formulary: 2026-10 of LIC-LAKESIDE is not closed',
  ])
  expect(
    await refused('export', 'focus', '--month', '2026-09', '--tenant', 'nobody', '--dataset', 'billing-period'),
  ).toEqual([1, 'formulary: there is no such tenant or license, or it has none'])
  expect(await refused('focus', 'check', path('one.tar'))).toEqual([1, expect.stringContaining('formulary: ')])
})
