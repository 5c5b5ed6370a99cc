import Stripe from 'stripe'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { monthAfter } from './invoices.ts'
import { hour, june, openSimulated, type Simulated } from './sdk-client.ts'

// Sources: [invoice] docs.stripe.com/api/invoices · [flow] …/invoicing/integration/workflow-transitions · [note]
// …/api/credit_notes · [price] …/api/prices · [tiers] …/products-prices/pricing-models · [usage]
// …/billing/subscriptions/usage-based · [item] …/api/invoiceitems

let at: Simulated
beforeEach(async () => {
  at = await openSimulated()
})
afterEach(() => at.simulator.stop())

const draftOf = async (...amounts: number[]) => {
  const invoice = await at.stripe.invoices.create({ customer: at.customer, currency: 'usd', auto_advance: false })
  if (amounts.length > 0)
    await at.stripe.invoices.addLines(invoice.id, { lines: amounts.map((amount) => ({ amount })) })
  return invoice.id
}

test('[invoice] an invoice begins as a draft without a number', async () => {
  const invoice = await at.stripe.invoices.retrieve(await draftOf())
  expect(invoice).toMatchObject({ object: 'invoice', status: 'draft', number: null, total: 0 })
})
test('[invoice] lines are added, and the total is their sum', async () => {
  expect(await at.stripe.invoices.retrieve(await draftOf(1000, 250, -50))).toMatchObject({
    total: 1200,
    amount_due: 1200,
  })
})
test('[invoice] at most 250 lines are added at once', async () => {
  await expect(draftOf(...Array.from({ length: 251 }, () => 1))).rejects.toThrow('250')
})
test('[invoice] an invoice shows ten lines, and lists the others', async () => {
  const id = await draftOf(...Array.from({ length: 12 }, () => 1))
  const invoice = await at.stripe.invoices.retrieve(id)
  expect([invoice.lines.data.length, invoice.lines.has_more]).toEqual([10, true])
  const lines = await at.stripe.invoices.listLineItems(id, { limit: 100 })
  expect(lines.data).toHaveLength(12)
})
test('[flow] finalizing gives a number and opens it', async () => {
  const invoice = await at.stripe.invoices.finalizeInvoice(await draftOf(1000))
  expect(invoice).toMatchObject({ status: 'open', number: 'SIM-0001' })
  expect(invoice.status_transitions.finalized_at).toBe(june)
})
test('[flow] it is finalized once', async () => {
  const id = await draftOf(1000)
  await at.stripe.invoices.finalizeInvoice(id)
  await expect(at.stripe.invoices.finalizeInvoice(id)).rejects.toThrow('already finalized')
})
test('[flow] a finalized invoice takes no lines', async () => {
  const id = await draftOf(1000)
  await at.stripe.invoices.finalizeInvoice(id)
  await expect(at.stripe.invoices.addLines(id, { lines: [{ amount: 1 }] })).rejects.toThrow('no longer editable')
})
test('[flow] an invoice of nothing is paid at once', async () => {
  expect(await at.stripe.invoices.finalizeInvoice(await draftOf())).toMatchObject({ status: 'paid' })
})
test('[flow] a draft that advances by itself is final after an hour', async () => {
  const { id } = await at.stripe.invoices.create({ customer: at.customer, auto_advance: true })
  await at.stripe.invoices.addLines(id, { lines: [{ amount: 5 }] })
  at.simulator.advance(hour - 1)
  expect(await at.stripe.invoices.retrieve(id)).toMatchObject({ status: 'draft' })
  at.simulator.advance(1)
  expect(await at.stripe.invoices.retrieve(id)).toMatchObject({ status: 'open' })
})
test('[flow] a draft is deleted, an open invoice is voided', async () => {
  const [draft, open] = [await draftOf(1), await draftOf(1)]
  expect(await at.stripe.invoices.del(draft)).toMatchObject({ deleted: true })
  await expect(at.stripe.invoices.voidInvoice(open)).rejects.toThrow('open')
  await at.stripe.invoices.finalizeInvoice(open)
  expect(await at.stripe.invoices.voidInvoice(open)).toMatchObject({ status: 'void', amount_due: 0 })
})
test('[note] a credit note lowers what is due, never below nothing', async () => {
  const invoice = await draftOf(1000)
  await expect(at.stripe.creditNotes.create({ invoice, amount: 1 })).rejects.toThrow('open or paid')
  await at.stripe.invoices.finalizeInvoice(invoice)
  const note = await at.stripe.creditNotes.create({ invoice, amount: 400 })
  expect(note).toMatchObject({ object: 'credit_note', total: 400, status: 'issued' })
  expect(await at.stripe.invoices.retrieve(invoice)).toMatchObject({ total: 1000, amount_due: 600 })
  await expect(at.stripe.creditNotes.create({ invoice, amount: 601 })).rejects.toThrow('between 1 and 600')
})
test('[item] pending items wait for the next invoice that asks for them', async () => {
  await at.stripe.invoiceItems.create({ customer: at.customer, amount: 300, currency: 'usd' })
  const make = (pending_invoice_items_behavior: 'include' | 'exclude') =>
    at.stripe.invoices.create({ customer: at.customer, pending_invoice_items_behavior })
  expect([await make('exclude'), await make('include'), await make('include')].map((one) => one.total)).toEqual([
    0, 300, 0,
  ])
})

const price = async (more: Partial<Stripe.PriceCreateParams>) => {
  const product = await at.stripe.products.create({ name: 'Clinical assistant' })
  return at.stripe.prices.create({
    product: product.id,
    currency: 'usd',
    recurring: { interval: 'month', usage_type: 'metered', meter: at.meter },
    ...more,
  })
}
const billed = async (id: string, uses: number) => {
  await at.stripe.subscriptions.create({ customer: at.customer, items: [{ price: id }] })
  await at.use(uses, { timestamp: june })
  at.simulator.advance(monthAfter(june) - june)
  const [invoice] = (await at.stripe.invoices.list({ customer: at.customer })).data
  if (invoice === undefined) throw new Error('no invoice')
  return invoice
}

test('[price] a metered price names a meter', async () => {
  const { id } = await at.stripe.products.create({ name: 'x' })
  const wrong = at.stripe.prices.create({
    product: id,
    currency: 'usd',
    recurring: { interval: 'month', usage_type: 'metered' },
  })
  await expect(wrong).rejects.toThrow('needs a meter')
})
test('[price] thirteen decimals are refused', async () => {
  const wrong = at.stripe.rawRequest('POST', '/v1/prices', {
    product: (await at.stripe.products.create({ name: 'x' })).id,
    currency: 'usd',
    unit_amount_decimal: '0.0000000000001',
  })
  await expect(wrong).rejects.toThrow('12 decimal')
})
test('[price] a lookup key has one price, which is found by it', async () => {
  const made = await price({ unit_amount: 1, lookup_key: 'k' })
  await expect(price({ unit_amount: 1, lookup_key: 'k' })).rejects.toThrow('lookup key')
  expect((await at.stripe.prices.list({ lookup_keys: ['k'] })).data.map((one) => one.id)).toEqual([made.id])
})
test('[usage] a period that ends is a draft with its usage, and then final', async () => {
  const invoice = await billed((await price({ unit_amount: 2 })).id, 21)
  expect(invoice).toMatchObject({ status: 'draft', total: 42, billing_reason: 'subscription_cycle' })
  at.simulator.advance(hour)
  expect(await at.stripe.invoices.retrieve(invoice.id)).toMatchObject({ status: 'open', total: 42 })
})
test('[usage] usage that comes in the hour of grace is billed, later usage is not', async () => {
  const invoice = await billed((await price({ unit_amount: 2 })).id, 21)
  await at.use(30, { timestamp: june })
  at.simulator.advance(hour)
  await at.use(99, { timestamp: june })
  expect(await at.stripe.invoices.retrieve(invoice.id)).toMatchObject({ status: 'open', total: 60 })
})
test.each([
  ['graduated', 10 * 3 + 5 * 2],
  ['volume', 15 * 2],
] as const)('[tiers] fifteen at %s tiers are %i', async (tiers_mode, total) => {
  const tiers: Stripe.PriceCreateParams.Tier[] = [
    { up_to: 10, unit_amount: 3 },
    { up_to: 'inf', unit_amount: 2 },
  ]
  expect(await billed((await price({ billing_scheme: 'tiered', tiers_mode, tiers })).id, 15)).toMatchObject({ total })
})
