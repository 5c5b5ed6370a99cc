import { randomUUID } from 'node:crypto'
import pg from 'pg'
import Stripe from 'stripe'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { failRefund } from '../../infra/stripe-simulator/payments.ts'
import { startStripeSimulator, sign } from '../../infra/stripe-simulator/simulator.ts'
import { openStripeClient, pushInvoices, receiveEvent, stripeSink } from '../../src/billing/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { closeMonth, declareAt, use } from '../billing/month.ts'
import { watchWrites } from '../isolation/watch-writes.ts'
import { openHouse, type House } from '../support/house.ts'

type Simulator = Awaited<ReturnType<typeof startStripeSimulator>>
let simulator: Simulator
let stripe: Stripe
let house: House
let second: string
let secret: string
/** At Stripe, of INV-000001. */
let stripeInvoice: string

const now = () => Math.floor(Date.now() / 1000)
const apiBase = () => `http://127.0.0.1:${simulator.port}`

beforeAll(async () => {
  simulator = await startStripeSimulator({ now: now() })
  stripe = openStripeClient({ secretKey: 'sk_test_simulated', apiBase: apiBase() })
  const endpoint = await stripe.webhookEndpoints.create({
    url: 'http://gateway/webhooks/stripe',
    enabled_events: ['*'],
  })
  secret = endpoint.secret ?? ''
})
beforeEach(async () => {
  house = await openHouse({
    environment: {
      STRIPE_SECRET_KEY: 'sk_test_simulated',
      STRIPE_WEBHOOK_SECRET: `whsec_of_last_year,${secret}`,
      STRIPE_API_BASE: apiBase(),
      LEASE_SECONDS: '60',
    },
    declared: (database) => declareAt(database, '2026-10-01T00:00:00Z'),
  })
  second = `http://127.0.0.1:${(await house.openAnother()).port}`
  await use(house.database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000, output: 10_000 }])
  await closeMonth(house.database, '2026-10')
  stripeInvoice = await push()
  await simulator.webhooks.flush(() => Promise.resolve(new Response()))
  return () => house.stop()
})
afterAll(() => simulator.stop())

/** As the job does. */
async function push(): Promise<string> {
  const log = { info() {}, warn: console.log, error: console.log }
  const needs = { database: house.database, sink: stripeSink(stripe), log, holder: randomUUID() }
  await pushInvoices({ ...needs, now: () => instant(Date.now()) })
  const { rows } = await house.database.systemPool.query<{ id: string }>(
    'select stripe_invoice as id from stripe_invoice',
  )
  return rows[0]?.id ?? ''
}

/** Delivers to the gateway, whatever the address of the endpoint. */
const deliver = (url = house.url) => simulator.webhooks.flush((_, init) => fetch(`${url}/webhooks/stripe`, init))
const post = (body: string, signature: string | undefined, url = house.url) =>
  fetch(`${url}/webhooks/stripe`, {
    method: 'POST',
    headers: signature === undefined ? {} : { 'stripe-signature': signature },
    body,
  })

const standing = async () => {
  const { rows } = await house.database.systemPool.query<{ state: string; paid: string; bank: string }>(
    `select state, paid_minor::text as paid,
       (select coalesce(sum(amount_picos) filter (where account = 'bank'), 0)::numeric(38, 0) / 10000000000 from posting)::int::text as bank
     from stripe_invoice where invoice = 'INV-000001'`,
  )
  return rows[0]
}
const events = async () => {
  const { rows } = await house.database.systemPool.query<{ type: string; outcome: string }>(
    `select type, outcome from stripe_event order by type, event_id`,
  )
  return rows.map(({ type, outcome }) => `${type} ${outcome}`)
}

test('a payment is booked once, whatever comes twice, late or in another order, to whichever process', async () => {
  expect(await standing()).toMatchObject({ paid: '0', bank: '0' })
  simulator.knobs.duplicateDeliveries = 1
  simulator.knobs.reorderDeliveries = true
  await stripe.invoices.pay(stripeInvoice)
  const due: [string, RequestInit][] = []
  await simulator.webhooks.flush((url, init) => {
    due.push([url, init])
    return Promise.resolve(new Response())
  })
  Object.assign(simulator.knobs, { duplicateDeliveries: 0, reorderDeliveries: false })
  const answers = await Promise.all(
    due.flatMap(([, init]) => [house.url, second].map((url) => fetch(`${url}/webhooks/stripe`, init))),
  )
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  expect(due).toHaveLength(4)
  expect(await standing()).toEqual({ state: 'paid', paid: '315', bank: '315' })
  expect(await events()).toEqual(['invoice.paid done', 'invoice.payment_succeeded done'])
})

test('an old event that comes last does not bring back what was', async () => {
  await stripe.invoices.markUncollectible(stripeInvoice)
  const held: RequestInit[] = []
  await simulator.webhooks.flush((_, init) => {
    held.push(init)
    return Promise.resolve(new Response())
  })
  await stripe.invoices.pay(stripeInvoice)
  await deliver()
  for (const init of held) expect((await fetch(`${house.url}/webhooks/stripe`, init)).status).toBe(200)
  expect(await standing()).toMatchObject({ state: 'paid', paid: '315' })
})

test('a look that was begun before another and ends after it writes nothing of what it saw', async () => {
  const door = stripeSink(stripe)
  const log = { info() {}, warn: console.log, error: console.log }
  const needs = { database: house.database, sink: door, log, now: () => instant(Date.now()) }
  let reads = 0
  const slow = {
    ...needs,
    sink: {
      ...door,
      async readDocument(...of: Parameters<typeof door.readDocument>) {
        const seen = await door.readDocument(...of)
        if (++reads > 1) return seen
        await stripe.invoices.pay(stripeInvoice)
        await receiveEvent(needs, { id: 'evt_paid', type: 'invoice.paid', objectId: stripeInvoice })
        return seen
      },
    },
  }
  const finalized = { id: 'evt_finalized', type: 'invoice.finalized', objectId: stripeInvoice }
  expect(await receiveEvent(slow, finalized)).toBe('done')
  expect([await standing(), reads]).toEqual([{ state: 'paid', paid: '315', bank: '315' }, 2])
})

test('money that goes back is the opposite entry, and the rest is booked anew; a refund that fails comes back', async () => {
  await stripe.invoices.pay(stripeInvoice)
  await deliver()
  const [payment] = (await stripe.invoicePayments.list({ invoice: stripeInvoice })).data
  const intent = payment?.payment.payment_intent
  const refund = await stripe.refunds.create({ payment_intent: typeof intent === 'string' ? intent : '', amount: 100 })
  await deliver()
  expect(await standing()).toEqual({ state: 'paid', paid: '215', bank: '215' })
  const { rows } = await house.database.systemPool.query<{ kind: string; amount: string }>(
    `select kind, (amount_picos / 10000000000)::int::text as amount
     from journal_entry join posting using (tenant_id, entry_id) where account = 'receivable' order by entry_id`,
  )
  expect(rows.map(({ kind, amount }) => `${kind} ${amount}`)).toEqual([
    'invoice 315',
    'payment -315',
    'payment_reversal 315',
    'payment -215',
  ])
  expect(await events()).toContain('charge.refunded done')
  failRefund(simulator.account, refund.id, simulator.webhooks.emit)
  await deliver()
  expect(await standing()).toEqual({ state: 'paid', paid: '315', bank: '315' })
})

test('an invoice that is voided or given up says so', async () => {
  await stripe.invoices.markUncollectible(stripeInvoice)
  await deliver()
  expect(await standing()).toEqual({ state: 'uncollectible', paid: '0', bank: '0' })
  await stripe.invoices.voidInvoice(stripeInvoice)
  await deliver()
  expect(await standing()).toEqual({ state: 'void', paid: '0', bank: '0' })
})

test('an invoice whose amount is not ours disagrees, line by line, and its money is not booked', async () => {
  const there = simulator.account.invoices.get(stripeInvoice)
  const [line] = there?.held ?? []
  if (there === undefined || line === undefined) throw new Error('no invoice')
  line.amount += 1
  there.total += 1
  await stripe.invoices.pay(stripeInvoice)
  await deliver()
  expect(await standing()).toMatchObject({ state: 'disagrees', bank: '0' })
  const { rows } = await house.database.systemPool.query<{ line: string; here: string; there: string }>(
    `select line, here, there from stripe_difference where ended_at is null order by line`,
  )
  expect(rows).toEqual([
    { line: '1', here: '300', there: '301' },
    { line: 'total', here: '315', there: '316' },
  ])
})

test('a report that Stripe took and did not count ends as refused, with its code', async () => {
  const { systemPool } = house.database
  await systemPool.query(
    `insert into stripe_usage (tenant_id, meter, hour, revision, quantity, written_at, identifier, state, sent_at)
     select tenant_id, 'scribe.input_tokens', date_trunc('hour', now()), 1, 5, now(), 'v1:lost', 'sent', now()
     from tenant where tenant = 'lakeside'`,
  )
  await stripe.billing.meters.create({
    display_name: 'x',
    event_name: `m.${stripeInvoice}`,
    default_aggregation: { formula: 'sum' },
  })
  await stripe.billing.meterEvents.create({
    event_name: `m.${stripeInvoice}`,
    identifier: 'v1:lost',
    payload: { stripe_customer_id: 'cus_nobody', value: '5' },
    timestamp: now(),
  })
  await deliver()
  const { rows } = await systemPool.query(`select state, refused_code from stripe_usage where identifier = 'v1:lost'`)
  expect(rows).toEqual([{ state: 'refused', refused_code: 'meter_event_customer_not_found' }])
})

test('a customer that is deleted at Stripe is noted; a kind that we do not know is kept as ignored', async () => {
  const { systemPool } = house.database
  const { rows } = await systemPool.query<{ customer: string }>('select customer from stripe_customer')
  await stripe.customers.del(rows[0]?.customer ?? '')
  await deliver()
  const gone = await systemPool.query('select gone_at is not null as gone from stripe_customer')
  expect(gone.rows).toEqual([{ gone: true }])
  const body = JSON.stringify({
    id: 'evt_unknown',
    object: 'event',
    type: 'topup.created',
    data: { object: { id: 'x' } },
  })
  expect((await post(body, sign(body, secret, now()))).status).toBe(200)
  expect(await events()).toEqual(['customer.deleted done', 'topup.created ignored'])
})

test('an invoice that was made and not noted is found by our number; one of somebody else is not ours', async () => {
  const { systemPool } = house.database
  await systemPool.query(`update stripe_invoice set stripe_invoice = null, state = 'open'`)
  await stripe.invoices.pay(stripeInvoice)
  await deliver()
  expect(await standing()).toEqual({ state: 'paid', paid: '315', bank: '315' })
  const other = await stripe.customers.create({ name: 'somebody else' })
  const { id } = await stripe.invoices.create({ customer: other.id, metadata: { formulary_invoice: 'INV-000001' } })
  await stripe.invoices.finalizeInvoice(id)
  await deliver()
  expect((await events()).filter((text) => text.endsWith('not_ours'))).toHaveLength(3)
  expect(await standing()).toMatchObject({ paid: '315' })
})

test('while Stripe is away an event is not taken, and nothing of it stays', async () => {
  await stripe.invoices.pay(stripeInvoice)
  simulator.knobs.closeBefore = 1_000
  expect(await deliver()).toEqual([503, 503])
  expect(await events()).toEqual([])
  simulator.knobs.closeBefore = 0
  expect(await deliver()).toEqual([200, 200])
  expect(await standing()).toMatchObject({ state: 'paid', bank: '315' })
})

test('whoever cannot sign costs no row, and reads always the same', async () => {
  const owner = new pg.Pool({ connectionString: house.databases.ownerUrl, max: 2 })
  const body = JSON.stringify({
    id: 'evt_forged',
    object: 'event',
    type: 'invoice.paid',
    data: { object: { id: stripeInvoice } },
  })
  const good = sign(body, secret, now())
  try {
    const writes = await watchWrites(owner, house.database.systemPool)
    const before = await writes.seen()
    const answers = await Promise.all(
      [
        [body, undefined],
        [body, ''],
        [body, 't=,v1='],
        [body, `t=${now()},v1=${'0'.repeat(64)}`],
        [body, sign(body, 'whsec_other', now())],
        [body, sign(body, '', now())],
        [body, sign(body, secret, now() - 301)],
        [body, sign(body, secret, now() + 400)],
        [`${body} `, good],
        [`\u{feff}${body}`, sign(`\u{feff}${body}`, 'whsec_other', now())],
      ].map(async ([text, signature]) => {
        const response = await post(text ?? '', signature)
        const { error } = (await response.json()) as { error: { code: string; message: string } }
        return `${response.status} ${error.code} ${error.message}`
      }),
    )
    expect(new Set(answers)).toEqual(new Set(['400 invalid_request This is not an event that we can trust.']))
    const long = await post('x'.repeat(600_000), good)
    expect(long.status).toBe(413)
    expect(await writes.seen()).toEqual(before)
    await writes.end()
    expect((await post(body, good)).status).toBe(200)
  } finally {
    await owner.end()
  }
})
