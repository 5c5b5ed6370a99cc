import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startStripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import { creditInvoice, openStripeClient, pushInvoices, stripeSink, syncUsage } from '../../src/billing/index.ts'
import type { Database } from '../../src/db/index.ts'
import { instant, type LogFacts } from '../../src/kernel/index.ts'
import { closeMonth, declareAt, look, use } from '../billing/month.ts'
import { openTestDatabase, tester } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'

type Simulator = Awaited<ReturnType<typeof startStripeSimulator>>
let databases: TestDatabase
let database: Database
let simulator: Simulator
let stripe: ReturnType<typeof openStripeClient>
let said: string[]

beforeEach(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  simulator = await startStripeSimulator({ now: Date.parse('2026-12-02T00:00:00Z') / 1000 })
  stripe = openStripeClient({ secretKey: 'sk_test_simulated', apiBase: `http://127.0.0.1:${simulator.port}` })
  said = []
})
afterEach(async () => {
  await simulator.stop()
  await database.close()
  await databases.drop()
})

const say = (event: string, facts?: LogFacts) => void said.push(`${event} ${JSON.stringify(facts ?? {})}`)
const needs = () => ({
  database,
  sink: stripeSink(stripe),
  log: { info() {}, warn: say, error: say },
  holder: randomUUID(),
  now: () => instant(simulator.account.now * 1000),
})
const push = () => pushInvoices(needs())
const rows = async <Row extends object>(text: string) =>
  (await database.systemPool.query<Row & Record<string, unknown>>(text)).rows
const states = async () =>
  (
    await rows<{ text: string }>(
      `select concat_ws(' ', invoice, kind, state, paid_minor) as text from stripe_invoice order by invoice`,
    )
  ).map(({ text }) => text)
const atStripe = () =>
  [...simulator.account.invoices.values()].map(({ metadata, status, total, held }) => [
    metadata['formulary_invoice'],
    status,
    total,
    held.map(({ amount }) => amount),
  ])

async function october(plan: (text: string) => string = (text) => text): Promise<void> {
  await declareAt(database, '2026-10-01T00:00:00Z', { 'plans/standard.yaml': plan })
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000, output: 10_000 }])
  await closeMonth(database, '2026-10')
}

test('what was issued is brought to Stripe, line by line, and becomes final; a second run finds nothing to do', async () => {
  await october()
  await push()
  expect(atStripe()).toEqual([['INV-000001', 'open', 315, [300, 15]]])
  expect(await states()).toEqual(['INV-000001 invoice final 0'])
  const calls = simulator.calls()
  await push()
  expect(simulator.calls()).toBe(calls)
})

test('two processes at once, and an answer that is lost at each step, make one invoice', async () => {
  await october()
  for (let lost = 0; lost < 8; lost++) {
    simulator.knobs.failAfterCommit = 1
    await Promise.all([push(), push()])
    simulator.account.now += 8 * 3600
  }
  simulator.knobs.failAfterCommit = 0
  await push()
  expect(atStripe()).toEqual([['INV-000001', 'open', 315, [300, 15]]])
  expect(await states()).toEqual(['INV-000001 invoice final 0'])
  expect(said.filter((line) => line.startsWith('stripe.push_failed')).length).toBeGreaterThan(3)
})

test('a push that fails is tried again after a minute, then two, and says why until it is done', async () => {
  await october()
  simulator.knobs.tooMany = 1_000
  const tries: number[] = []
  for (let minute = 0; minute < 8; minute++) {
    const before = said.length
    await push()
    if (said.length > before) tries.push(minute)
    simulator.account.now += 60
  }
  expect(tries).toEqual([0, 1, 3, 7])
  expect(await rows('select attempts, last_error from stripe_invoice')).toEqual([
    { attempts: 4, last_error: 'StripeRateLimitError' },
  ])
  simulator.knobs.tooMany = 0
  simulator.account.now += 3600
  await push()
  expect(await rows('select attempts, last_error, state from stripe_invoice')).toEqual([
    { attempts: 0, last_error: null, state: 'final' },
  ])
})

test('a draft in which somebody has added a line disagrees, and is not made final; mended, it is', async () => {
  await october()
  const [{ tenant_id: tenantId } = { tenant_id: '' }] = await rows<{ tenant_id: string }>(
    'select tenant_id from invoice',
  )
  const customer = await stripe.customers.create({ name: 'Lakeside', metadata: { formulary_tenant: tenantId } })
  const draft = await stripe.invoices.create({ customer: customer.id, metadata: { formulary_invoice: 'INV-000001' } })
  await stripe.invoices.addLines(draft.id, { lines: [{ amount: 7, description: 'by hand' }] })
  await push()
  expect(await states()).toEqual(['INV-000001 invoice disagrees 0'])
  expect(await rows('select line, class, here, there from stripe_difference order by line')).toEqual([
    { line: 'total', class: 'amount_differs', here: '315', there: '322' },
    { line: 'unknown', class: 'missing_here', here: '', there: '7' },
  ])
  simulator.account.invoices.get(draft.id)?.held.shift()
  simulator.account.now += 7 * 3600
  // The look finds it mended; the run after it makes it final.
  await push()
  await push()
  expect(await states()).toEqual(['INV-000001 invoice final 0'])
  expect(await rows('select line from stripe_difference where ended_at is null')).toEqual([])
})

const credit = () =>
  look(database, (tx) =>
    creditInvoice(tx, {
      number: 'INV-000001',
      reason: 'a wrong price',
      actor: tester,
      now: instant(simulator.account.now * 1000),
    }),
  )

test('an invoice that is taken back is credited at Stripe: what is due is nothing, and what was paid is the customer’s', async () => {
  await october()
  await credit()
  // In one run: the invoice first, and then what takes it back.
  await push()
  expect(await states()).toEqual(['CRN-000001 credit_note final 0', 'INV-000001 invoice paid 0'])
  expect(
    [...simulator.account.creditNotes.values()].map((note) => [note['total'], note['pre_payment_amount']]),
  ).toEqual([[315, 315]])
})

test('a paid one as well, by a credit for the next invoices; a void one needs none', async () => {
  await october()
  await push()
  const [id = ''] = simulator.account.invoices.keys()
  await stripe.invoices.pay(id)
  await credit()
  await push()
  expect(await states()).toEqual(['CRN-000001 credit_note final 0', 'INV-000001 invoice paid 315'])
  expect([...simulator.account.creditNotes.values()].map((note) => note['post_payment_amount'])).toEqual([315])
})

test('a void one needs no credit at Stripe', async () => {
  await october()
  await push()
  const [id = ''] = simulator.account.invoices.keys()
  await stripe.invoices.voidInvoice(id)
  simulator.account.now += 7 * 3600
  await credit()
  await push()
  simulator.account.now += 3600
  await push()
  expect(await states()).toEqual(['CRN-000001 credit_note void 0', 'INV-000001 invoice void 0'])
  expect(simulator.account.creditNotes.size).toBe(0)
})

test('a payment whose event was lost is found by a look, six hours later', async () => {
  await october()
  await push()
  const [id = ''] = simulator.account.invoices.keys()
  await stripe.invoices.pay(id)
  simulator.account.now += 6 * 3600
  await push()
  expect(await states()).toEqual(['INV-000001 invoice final 0'])
  simulator.account.now += 1
  await push()
  expect(await states()).toEqual(['INV-000001 invoice paid 315'])
})

test('what is sold has a product and a price per revision of the plan, made once', async () => {
  await october((text) => `${text}  - { meter: facility, per: month, amount: "310.00" }\n`)
  await push()
  const prices = await rows<{ lookup_key: string; shape: unknown }>(
    'select lookup_key, shape from stripe_price order by 1',
  )
  expect(prices).toEqual([
    { lookup_key: 'formulary:standard:1:facility', shape: { kind: 'per_unit', amount: '31000' } },
    { lookup_key: 'formulary:standard:1:scribe.input_tokens', shape: { kind: 'per_unit', amount: '0.0003' } },
    { lookup_key: 'formulary:standard:1:scribe.output_tokens', shape: { kind: 'per_unit', amount: '0.0015' } },
  ])
  expect(
    [...simulator.account.prices.values()].map((price) => (price['recurring'] as { usage_type: string }).usage_type),
  ).toEqual(['metered', 'metered', 'licensed'])
  // A process that died before it noted them finds them again.
  const owner = new pg.Pool({ connectionString: databases.ownerUrl, max: 1 })
  await owner.query('truncate stripe_price, stripe_product, stripe_meter')
  await owner.end()
  await use(database, [{ at: '2026-11-05T00:00:00Z', input: 1_000_000 }])
  await closeMonth(database, '2026-11')
  await push()
  expect([simulator.account.prices.size, simulator.account.products.size]).toEqual([3, 3])
})

test('where Stripe’s price makes something else of a quantity, a difference says so, and the invoice is ours all the same', async () => {
  await declareAt(database, '2026-10-01T00:00:00Z')
  // 0.3 cents more would be half a cent: 10,000,000 at 0.0003 and 3,000 at 0.0015 cents are 3000 and 4.5 cents.
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 10_000_000, output: 3_000 }])
  const product = await stripe.products.create({ name: 'x', metadata: { formulary_sku: 'scribe.input_tokens' } })
  const meter = await stripe.billing.meters.create({
    display_name: 'x',
    event_name: 'formulary.scribe.input_tokens',
    default_aggregation: { formula: 'sum' },
    event_time_window: 'hour',
  })
  await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    lookup_key: 'formulary:standard:1:scribe.input_tokens',
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    unit_amount: 1,
  })
  await closeMonth(database, '2026-10')
  await push()
  expect(await states()).toEqual(['INV-000001 invoice final 0'])
  expect(await rows('select line, class, here, there from stripe_difference order by line')).toEqual([
    { line: '1', class: 'rate_differs', here: '3000', there: '10000000' },
    { line: '2', class: 'rounding', here: '4', there: '5' },
  ])
})

test('hours that Stripe takes no more are on the next invoice: it is made from the ledger, not from the meters', async () => {
  await october()
  await push()
  // Late by two months: its row is a correction of the month that is closed next.
  await use(database, [{ at: '2026-10-06T00:00:00Z', input: 2_000_000 }])
  await database.systemPool.query(
    `insert into usage_hour (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency,
       requests, input_tokens, output_tokens, inferences, charge_picos)
     select tenant_id, '2026-10-06T00:00:00Z', license, 'general', 'ehr', 'scribe', '1.0.0', 'standard', 1, 'USD', 0, 2000000, 0, 0, 0
     from license where license = 'LIC-LAKESIDE'
     on conflict do nothing`,
  )
  await syncUsage(needs())
  expect(await rows(`select distinct state from stripe_usage where hour = '2026-10-06T00:00:00Z'`)).toEqual([
    { state: 'too_late' },
  ])
  await closeMonth(database, '2026-11')
  await push()
  expect(atStripe().at(-1)).toEqual(['INV-000002', 'open', 600, [600]])
})
