import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { closePeriod, loadInvoices, reopenPeriod } from '../../src/billing/index.ts'
import { takeNumber } from '../../src/billing/store-invoice.ts'
import type { Database } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { openTestDatabase, tester } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { closeMonth, declareAt, look, month, use } from './month.ts'

let databases: TestDatabase
let database: Database

const withFees = {
  'plans/standard.yaml': (text: string) => `${text}  - { meter: facility, per: month, amount: "310.00" }\n`,
}

beforeEach(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareAt(database, '2026-10-01T00:00:00Z', withFees)
  return async () => {
    await database.close()
    await databases.drop()
  }
})

const Document = z.object({
  number: z.string(),
  total: z.string(),
  lines: z.array(
    z.object({
      line: z.number(),
      kind: z.string(),
      description: z.string(),
      quantity: z.string(),
      amount: z.string(),
      shares: z.array(z.object({ facility: z.string(), amount: z.string() })),
      corrects: z.object({ document: z.string(), line: z.number().optional() }).optional(),
    }),
  ),
})

const invoice = async (number: string | undefined) => {
  const [found] = await look(database, (tx) => loadInvoices(tx, { number: number ?? '' }))
  return Document.parse(JSON.parse(found?.document ?? '{}'))
}

const closed = async (...args: Parameters<typeof closeMonth> extends [Database, ...infer Rest] ? Rest : never) => {
  const result = await closeMonth(database, ...args)
  if (!result.ok) throw new Error(JSON.stringify(result.error))
  return result.value
}

test('a month is rated, frozen and invoiced, its lines split among the facilities that used it', async () => {
  await use(database, [
    { at: '2026-10-01T00:00:00Z', input: 1_000_000, output: 100_000 },
    { at: '2026-10-31T23:59:59.999Z', input: 500_000, facility: 'north' },
    { at: '2026-11-01T00:00:00Z', input: 7 },
    { at: '2026-10-15T12:00:00Z', model: 'ecg-low-ef', inferences: 3 },
  ])
  const result = await closed('2026-10')
  expect(result).toMatchObject({ rows: 3n, lateRows: 0n, invoice: 'INV-000001' })
  const { total, lines } = await invoice(result.invoice)
  expect(lines.map(({ description, amount }) => [description, amount])).toEqual([
    ['ecg-low-ef, inferences', '1.50'],
    ['scribe, input tokens', '4.50'],
    ['scribe, output tokens', '1.50'],
    ['Facilities, by day of the term', '620.00'],
  ])
  expect(lines[1]?.shares).toMatchObject([
    { facility: 'general', amount: '3.00' },
    { facility: 'north', amount: '1.50' },
  ])
  expect(total).toBe('627.50')
})

test('what arrives after its month was frozen is a correction of the next one, pointing at the line that it corrects', async () => {
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000 }])
  await closed('2026-10')
  await use(database, [
    { at: '2026-10-06T00:00:00Z', input: 2_000_000 },
    { at: '2026-11-06T00:00:00Z', input: 1_000_000 },
  ])
  const result = await closed('2026-11')
  expect(result).toMatchObject({ rows: 1n, lateRows: 1n, invoice: 'INV-000002' })
  const { lines, total } = await invoice(result.invoice)
  expect(lines.map(({ kind, amount, corrects }) => [kind, amount, corrects])).toEqual([
    ['usage', '3.00', undefined],
    ['facility', '620.00', undefined],
    ['correction', '6.00', { document: 'INV-000001', line: 1 }],
  ])
  expect(total).toBe('629.00')
})

test('a month that is not over, or with an earlier one open before it, is not closed', async () => {
  expect(await closeMonth(database, '2026-10', { now: '2026-10-31T23:59:59Z' })).toMatchObject({
    ok: false,
    error: {
      reason: 'period_not_ready',
      checklist: expect.arrayContaining([expect.objectContaining({ item: 'period-over', state: 'open' })]),
    },
  })
  expect(await closeMonth(database, '2026-11')).toMatchObject({ ok: false, error: { reason: 'period_not_ready' } })
  await closed('2026-10')
  expect(await closeMonth(database, '2026-10')).toMatchObject({ ok: false, error: { reason: 'period_closed' } })
})

test('calls whose end nobody knows hold a month up until somebody says why they may', async () => {
  await use(database, [{ at: '2026-10-05T00:00:00Z', outcome: 'expired' }])
  expect(await closeMonth(database, '2026-10')).toMatchObject({ ok: false, error: { reason: 'period_not_ready' } })
  const { checklist } = await closed('2026-10', { reasons: [['calls-known', 'the host has no record of it']] })
  expect(checklist).toContainEqual(
    expect.objectContaining({ item: 'calls-known', state: 'explained', reason: 'the host has no record of it' }),
  )
})

test('a month is opened again by two people with a reason; its invoice is taken back and another one takes its place', async () => {
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000 }])
  await closed('2026-10')
  await use(database, [{ at: '2026-10-06T00:00:00Z', input: 2_000_000 }])
  const reopen = (reason: string, approvedBy: string) =>
    look(database, (tx) =>
      reopenPeriod(tx, {
        license: 'LIC-LAKESIDE',
        period: month('2026-10'),
        reason,
        actor: tester,
        approvedBy: { ...tester, name: approvedBy },
        now: instant(Date.parse('2026-12-03T00:00:00Z')),
      }),
    )
  expect(await reopen('a wrong price', 'A Test')).toMatchObject({
    ok: false,
    error: { reason: 'second_person_missing' },
  })
  expect(await reopen(' ', 'her reviewer')).toMatchObject({ ok: false, error: { reason: 'reason_missing' } })
  expect(await reopen('a wrong price', 'her reviewer')).toMatchObject({ ok: true, value: { creditNote: 'CRN-000001' } })
  expect((await invoice('CRN-000001')).total).toBe('-623.00')
  const again = await closed('2026-10')
  expect(again).toMatchObject({ closing: 2, rows: 2n, lateRows: 0n, invoice: 'INV-000002' })
  expect((await invoice('INV-000002')).total).toBe('629.00')
  await closed('2026-11')
  expect(await reopen('too late', 'her reviewer')).toMatchObject({
    ok: false,
    error: { reason: 'later_period_closed' },
  })
  const { rows } = await database.systemPool.query<{ account: string; sum: string }>(
    `select account, sum(amount_picos)::text as sum from posting join journal_entry using (tenant_id, entry_id)
     where period_start = '2026-10-01T00:00:00Z' group by account order by account`,
  )
  expect(rows).toEqual([
    { account: 'receivable', sum: '629000000000000' },
    { account: 'revenue', sum: '-629000000000000' },
    { account: 'rounding', sum: '0' },
  ])
})

test('a journal entry that does not add up, or that gets a posting later, is refused at commit', async () => {
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000 }])
  await closed('2026-10')
  const post = (text: string) =>
    database.systemPool.query(
      `insert into posting (tenant_id, entry_id, posting, account, currency, amount_picos)
       select tenant_id, entry_id, n, 'tax', 'USD', amount from journal_entry, (values ${text}) as v (n, amount)`,
    )
  await expect(post('(90, 5)')).rejects.toMatchObject({ constraint: 'journal_entry_sums_to_zero' })
  await expect(post('(90, 5), (91, -5)')).rejects.toMatchObject({ constraint: 'journal_entry_sums_to_zero' })
  await expect(database.systemPool.query('update posting set amount_picos = 0')).rejects.toMatchObject({
    code: '42501',
  })
  await expect(database.systemPool.query('delete from journal_entry')).rejects.toMatchObject({ code: '42501' })
})

test('a number that was taken by what then failed is taken again', async () => {
  const failing = look(database, async (tx) => {
    await takeNumber(tx, 'INV')
    throw new Error('after the number')
  })
  await expect(failing).rejects.toThrow('after the number')
  expect(await look(database, (tx) => takeNumber(tx, 'INV'))).toEqual({ number: 'INV-000001', sequence: 1n })
})

test('a closing that failed goes on from its line; of two that run at once, each has a number of its own', async () => {
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000 }])
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000 }], 'LIC-PRAIRIE')
  const failing = closePeriod(
    {
      database,
      startSha256: nodeSha256,
      tax: () => {
        throw new Error('the tax rules are not there')
      },
    },
    {
      license: 'LIC-LAKESIDE',
      period: month('2026-10'),
      reasons: new Map(),
      actor: tester,
      now: instant(Date.parse('2026-12-02')),
    },
  )
  await expect(failing).rejects.toThrow('the tax rules')
  const late = { at: '2026-10-07T00:00:00Z', input: 5 }
  await use(database, [late])
  const both = await Promise.all([
    closeMonth(database, '2026-10'),
    closeMonth(database, '2026-10', { license: 'LIC-PRAIRIE' }),
    closeMonth(database, '2026-10'),
  ])
  const numbers = both.flatMap((one) => (one.ok ? [one.value.invoice] : []))
  expect(new Set(numbers)).toEqual(new Set(['INV-000001', 'INV-000002']))
  // It goes on from the line that the failed attempt drew: the row since then is late.
  const rows = both.flatMap((one) => (one.ok && one.value.license === 'LIC-LAKESIDE' ? [one.value.rows] : []))
  expect(rows).toEqual([1n])
})
