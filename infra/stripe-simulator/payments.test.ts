import Stripe from 'stripe'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { failRefund } from './payments.ts'
import { openSimulated, type Simulated } from './sdk-client.ts'

// Sources: [flow] docs.stripe.com/invoicing/integration/workflow-transitions · [states] support.stripe.com/questions/invoice-states
// · [payment] …/api/invoice-payment · [refund] …/api/refunds · [failed] …/refunds#failed-refunds · [note] …/api/credit_notes/create
// · [customer] …/api/customers/delete · [price] …/api/prices/object · [product] …/api/products · [hooks] …/webhooks

let at: Simulated
beforeEach(async () => {
  at = await openSimulated()
})
afterEach(() => at.simulator.stop())

async function open(amount = 1000): Promise<string> {
  const { id } = await at.stripe.invoices.create({ customer: at.customer, auto_advance: false })
  await at.stripe.invoices.addLines(id, { lines: [{ amount }] })
  await at.stripe.invoices.finalizeInvoice(id)
  return id
}
const events = () => [...at.simulator.account.events.values()].map((event) => String(event['type']))
const intentOf = async (invoice: string): Promise<string> => {
  const [payment] = (await at.stripe.invoicePayments.list({ invoice })).data
  const intent = payment?.payment.payment_intent
  return typeof intent === 'string' ? intent : ''
}

test('[flow] paying an open invoice makes it paid, and tells it twice', async () => {
  const id = await open()
  expect(await at.stripe.invoices.pay(id)).toMatchObject({ status: 'paid', amount_paid: 1000, amount_remaining: 0 })
  expect(events().slice(-2)).toEqual(['invoice.paid', 'invoice.payment_succeeded'])
})
test('[flow] a payment that fails leaves it open, and tells it', async () => {
  const id = await open()
  at.simulator.knobs.failPayments = 1
  await expect(at.stripe.invoices.pay(id)).rejects.toMatchObject({ statusCode: 402, code: 'card_declined' })
  expect(await at.stripe.invoices.retrieve(id)).toMatchObject({ status: 'open', attempt_count: 1, amount_paid: 0 })
  expect(events().at(-1)).toBe('invoice.payment_failed')
})
test('[flow] one that is given up may be paid or voided, and nothing else', async () => {
  const [first, second] = [await open(), await open()]
  for (const id of [first, second]) await at.stripe.invoices.markUncollectible(id)
  await expect(at.stripe.invoices.markUncollectible(first)).rejects.toThrow('uncollectible')
  expect(await at.stripe.invoices.pay(first)).toMatchObject({ status: 'paid' })
  expect(await at.stripe.invoices.voidInvoice(second)).toMatchObject({ status: 'void' })
})
test('[states] paid and void are for good', async () => {
  const [first, second] = [await open(), await open()]
  await at.stripe.invoices.pay(first)
  await at.stripe.invoices.voidInvoice(second)
  await expect(at.stripe.invoices.voidInvoice(first)).rejects.toThrow('paid')
  await expect(at.stripe.invoices.pay(second)).rejects.toThrow('void')
})
test('[payment] what paid an invoice is listed by invoice and by intent; what was paid elsewhere is not', async () => {
  const [first, second] = [await open(), await open()]
  await at.stripe.invoices.pay(first)
  await at.stripe.invoices.pay(second, { paid_out_of_band: true })
  const payment_intent = await intentOf(first)
  const listed = await at.stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent } })
  expect(listed.data).toMatchObject([{ invoice: first, amount_paid: 1000, status: 'paid' }])
  expect((await at.stripe.invoicePayments.list({ invoice: second })).data).toEqual([])
  expect(await at.stripe.invoices.retrieve(second)).toMatchObject({ amount_paid: 1000 })
})
test('[refund] money that goes back leaves the invoice paid, and its amount_paid as it was', async () => {
  const id = await open()
  await at.stripe.invoices.pay(id)
  const payment_intent = await intentOf(id)
  await at.stripe.refunds.create({ payment_intent, amount: 400 })
  expect(await at.stripe.invoices.retrieve(id)).toMatchObject({ status: 'paid', amount_paid: 1000 })
  expect((await at.stripe.refunds.list({ payment_intent })).data.map(({ amount }) => amount)).toEqual([400])
  await expect(at.stripe.refunds.create({ payment_intent, amount: 601 })).rejects.toThrow('greater than')
  expect(events().slice(-2)).toEqual(['refund.created', 'charge.refunded'])
})
test('[failed] a refund that the bank sends back has failed, and is told', async () => {
  const id = await open()
  await at.stripe.invoices.pay(id)
  const { id: refund } = await at.stripe.refunds.create({ payment_intent: await intentOf(id) })
  failRefund(at.simulator.account, refund, at.simulator.webhooks.emit)
  expect(await at.stripe.refunds.retrieve(refund)).toMatchObject({ status: 'failed' })
  expect(events().at(-1)).toBe('refund.failed')
})
test('[note] a credit note of what is paid says where the money goes, to the cent', async () => {
  const invoice = await open()
  await at.stripe.invoices.pay(invoice)
  await expect(at.stripe.creditNotes.create({ invoice, amount: 300 })).rejects.toThrow('must be 300')
  expect(await at.stripe.creditNotes.create({ invoice, amount: 300, credit_amount: 300 })).toMatchObject({
    type: 'post_payment',
    post_payment_amount: 300,
  })
  expect(await at.stripe.invoices.retrieve(invoice)).toMatchObject({ post_payment_credit_notes_amount: 300 })
})
test('[note] one of all that is due settles the invoice; those of an invoice are listed', async () => {
  const invoice = await open()
  const note = await at.stripe.creditNotes.create({ invoice, amount: 1000, metadata: { formulary_invoice: 'CRN-1' } })
  expect(await at.stripe.invoices.retrieve(invoice)).toMatchObject({ status: 'paid', amount_due: 0, amount_paid: 0 })
  expect((await at.stripe.creditNotes.list({ invoice })).data.map(({ id }) => id)).toEqual([note.id])
})
test('[customer] a deleted customer is listed no more, and is answered as deleted', async () => {
  await at.stripe.customers.del(at.customer)
  expect((await at.stripe.customers.list()).data).toEqual([])
  expect(await at.stripe.customers.retrieve(at.customer)).toMatchObject({ deleted: true })
  expect(events().at(-1)).toBe('customer.deleted')
})
test('[product] products are listed with what they carry', async () => {
  await at.stripe.products.create({ name: 'x', metadata: { formulary_sku: 'm.input_tokens' } })
  expect((await at.stripe.products.list()).data.map(({ metadata }) => metadata['formulary_sku'])).toEqual([
    'm.input_tokens',
  ])
})
test('[price] packages round up before they are priced, and go with no tiers; the last tier ends with null', async () => {
  const { id: product } = await at.stripe.products.create({ name: 'x' })
  const common: Stripe.PriceCreateParams = {
    product,
    currency: 'usd',
    recurring: { interval: 'month', usage_type: 'metered', meter: at.meter },
  }
  const transform_quantity = { divide_by: 10, round: 'up' } as const
  const price = await at.stripe.prices.create({ ...common, unit_amount: 7, transform_quantity })
  expect(price.transform_quantity).toEqual({ divide_by: 10, round: 'up' })
  const tiers: Stripe.PriceCreateParams.Tier[] = [
    { up_to: 5, unit_amount: 2 },
    { up_to: 'inf', unit_amount: 1 },
  ]
  const tiered = { ...common, billing_scheme: 'tiered', tiers_mode: 'graduated', tiers } as const
  await expect(at.stripe.prices.create({ ...tiered, transform_quantity })).rejects.toThrow('tiers')
  expect((await at.stripe.prices.create(tiered)).tiers?.map(({ up_to }) => up_to)).toEqual([5, null])
})
test('[hooks] a delivery can be lost for good', async () => {
  await at.stripe.webhookEndpoints.create({ url: 'http://127.0.0.1:9/', enabled_events: ['*'] })
  at.simulator.knobs.loseDeliveries = 1
  await at.stripe.invoices.create({ customer: at.customer })
  await at.stripe.invoices.create({ customer: at.customer })
  expect(at.simulator.webhooks.waiting).toBe(1)
})
