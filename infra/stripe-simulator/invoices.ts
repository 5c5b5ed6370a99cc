import { newestFirst, type Account, type Invoice, type Line, type Subscription, type Thing } from './account.ts'
import { priceUsage } from './catalog.ts'
import { usageOf } from './meters.ts'
import { pageOf } from './pages.ts'
import { listOf, metadataOf, requireText, textOf, wholeOf, type Params } from './params.ts'
import { invalid } from './problem.ts'
import type { Emit } from './webhooks.ts'

/** An automatically advanced invoice stays a draft for about an hour (https://docs.stripe.com/invoicing/integration/workflow-transitions). */
const graceSeconds = 3600
/** https://docs.stripe.com/api/invoices/add_lines: at most 250 a call. */
const linesPerCallMax = 250

export function createInvoice(account: Account, params: Params, emit: Emit): object {
  const customer = account.require(account.customers, 'customer', requireText(params, 'customer')).id
  const invoice = draft(account, {
    customer,
    currency: textOf(params, 'currency') ?? 'usd',
    isAutomatic: textOf(params, 'auto_advance') === 'true',
    metadata: metadataOf(params),
    description: textOf(params, 'description') ?? null,
    subscription: null,
    period: { start: account.now, end: account.now },
  })
  if (textOf(params, 'pending_invoice_items_behavior') === 'include')
    for (const item of account.items.values())
      if (item['customer'] === customer && item['invoice'] === null && item['currency'] === invoice.currency)
        takeItem(account, invoice, item)
  emit('invoice.created', showInvoice(invoice))
  return showInvoice(invoice)
}

interface Drafting {
  readonly customer: string
  readonly currency: string
  readonly isAutomatic: boolean
  readonly metadata: Record<string, string>
  readonly description: string | null
  readonly subscription: string | null
  readonly period: { readonly start: number; readonly end: number }
}

function draft(account: Account, of: Drafting): Invoice {
  const invoice: Invoice = {
    id: account.newId('in'),
    object: 'invoice',
    created: account.now,
    customer: of.customer,
    currency: of.currency,
    status: 'draft',
    number: null,
    total: 0,
    auto_advance: of.isAutomatic,
    automatically_finalizes_at: of.isAutomatic ? account.now + graceSeconds : null,
    billing_reason: of.subscription === null ? 'manual' : 'subscription_cycle',
    collection_method: 'charge_automatically',
    description: of.description,
    livemode: false,
    metadata: of.metadata,
    period_start: of.period.start,
    period_end: of.period.end,
    subscription: of.subscription,
    held: [],
    status_transitions: { finalized_at: null, voided_at: null, paid_at: null, marked_uncollectible_at: null },
    pre_payment_credit_notes_amount: 0,
    post_payment_credit_notes_amount: 0,
    amount_paid: 0,
    attempt_count: 0,
  }
  account.invoices.set(invoice.id, invoice)
  return invoice
}

/** As the API shows it, with sums worked out anew. */
export function showInvoice({ held, ...invoice }: Invoice): object {
  const total = held.reduce((sum, line) => sum + line.amount, 0)
  const due = invoice.status === 'void' ? 0 : total - invoice.pre_payment_credit_notes_amount
  return {
    ...invoice,
    subtotal: total,
    total,
    amount_due: due,
    amount_remaining: invoice.status === 'paid' ? 0 : due - invoice.amount_paid,
    lines: {
      object: 'list',
      url: `/v1/invoices/${invoice.id}/lines`,
      has_more: held.length > 10,
      data: held.slice(0, 10),
    },
  }
}

export const listLines = (account: Account, id: string, params: Params): object =>
  pageOf(`/v1/invoices/${id}/lines`, account.require(account.invoices, 'invoice', id).held, params)

export function listInvoices(account: Account, params: Params): object {
  const [customer, status] = [textOf(params, 'customer'), textOf(params, 'status')]
  const found = newestFirst(account.invoices).filter(
    (invoice) =>
      (customer === undefined || invoice.customer === customer) && (status === undefined || invoice.status === status),
  )
  return pageOf(
    '/v1/invoices',
    found.map((invoice) => showInvoice(invoice) as Invoice),
    params,
  )
}

export function addLines(account: Account, id: string, params: Params): object {
  const invoice = requireDraft(account, id)
  const lines = listOf(params, 'lines')
  if (lines.length > linesPerCallMax) throw invalid('At most 250 lines may be added at once.', 'lines')
  for (const line of lines) {
    const amount = wholeOf(line, 'amount')
    if (amount === undefined) throw invalid('Missing required param: amount.', 'lines[amount]', 'parameter_missing')
    invoice.held.push(
      newLine(account, invoice, { amount, description: textOf(line, 'description'), metadata: metadataOf(line) }),
    )
  }
  return showInvoice(invoice)
}

function newLine(
  account: Account,
  invoice: Invoice,
  of: { amount: number; description?: string | undefined; quantity?: number; metadata: Record<string, string> },
): Line {
  return {
    id: account.newId('il'),
    object: 'line_item',
    amount: of.amount,
    currency: invoice.currency,
    description: of.description ?? null,
    invoice: invoice.id,
    quantity: of.quantity ?? 1,
    metadata: of.metadata,
    period: { start: invoice.period_start, end: invoice.period_end },
  }
}

export function createItem(account: Account, params: Params): Thing {
  const customer = account.require(account.customers, 'customer', requireText(params, 'customer')).id
  const amount = wholeOf(params, 'amount')
  if (amount === undefined) throw invalid('Missing required param: amount.', 'amount', 'parameter_missing')
  const item: Thing = {
    id: account.newId('ii'),
    object: 'invoiceitem',
    created: account.now,
    date: account.now,
    amount,
    currency: textOf(params, 'currency') ?? 'usd',
    customer,
    description: textOf(params, 'description') ?? null,
    invoice: null,
    livemode: false,
    metadata: metadataOf(params),
  }
  const into = textOf(params, 'invoice')
  // Before it is kept: an item for an invoice that is no draft is refused whole.
  const invoice = into === undefined ? undefined : requireDraft(account, into)
  account.items.set(item.id, item)
  if (invoice !== undefined) takeItem(account, invoice, item)
  return item
}

function takeItem(account: Account, invoice: Invoice, item: Thing): void {
  item['invoice'] = invoice.id
  invoice.held.push(
    newLine(account, invoice, {
      amount: Number(item['amount']),
      description: typeof item['description'] === 'string' ? item['description'] : undefined,
      metadata: item.metadata,
    }),
  )
}

export function finalizeInvoice(account: Account, id: string, emit: Emit): object {
  const invoice = account.require(account.invoices, 'invoice', id)
  if (invoice.status !== 'draft')
    throw invalid('This invoice is already finalized, you can’t re-finalize a non-draft invoice.')
  if (invoice.subscription !== null) refreshUsage(account, invoice)
  const total = invoice.held.reduce((sum, line) => sum + line.amount, 0)
  invoice.total = total
  // An invoice of nothing is paid as soon as it is final.
  invoice.status = total <= 0 ? 'paid' : 'open'
  if (total <= 0) invoice.status_transitions.paid_at = account.now
  const finalized = [...account.invoices.values()].filter((one) => one.number !== null).length
  invoice.number = `SIM-${String(finalized + 1).padStart(4, '0')}`
  invoice.automatically_finalizes_at = null
  invoice.status_transitions.finalized_at = account.now
  emit('invoice.finalized', showInvoice(invoice))
  if (invoice.status === 'paid') emit('invoice.paid', showInvoice(invoice))
  return showInvoice(invoice)
}

export function voidInvoice(account: Account, id: string, emit: Emit): object {
  const invoice = account.require(account.invoices, 'invoice', id)
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
    throw invalid(`You can only void an open invoice. This one is ${invoice.status}.`)
  invoice.status = 'void'
  invoice.status_transitions.voided_at = account.now
  emit('invoice.voided', showInvoice(invoice))
  return showInvoice(invoice)
}

/** https://docs.stripe.com/invoicing/integration/workflow-transitions: it may still be paid or voided. */
export function markUncollectible(account: Account, id: string, emit: Emit): object {
  const invoice = account.require(account.invoices, 'invoice', id)
  if (invoice.status !== 'open') throw invalid(`This invoice is ${invoice.status}, not open.`)
  invoice.status = 'uncollectible'
  invoice.status_transitions.marked_uncollectible_at = account.now
  emit('invoice.marked_uncollectible', showInvoice(invoice))
  return showInvoice(invoice)
}

export function deleteDraft(account: Account, id: string): object {
  requireDraft(account, id)
  account.invoices.delete(id)
  return { id, object: 'invoice', deleted: true }
}

export function createSubscription(account: Account, params: Params): object {
  const customer = account.require(account.customers, 'customer', requireText(params, 'customer')).id
  const prices = listOf(params, 'items').map(
    (item) => account.require(account.prices, 'price', requireText(item, 'price')).id,
  )
  if (prices.length === 0) throw invalid('Missing required param: items.', 'items', 'parameter_missing')
  const subscription: Subscription = {
    id: account.newId('sub'),
    object: 'subscription',
    created: account.now,
    customer,
    status: 'active',
    metadata: metadataOf(params),
    livemode: false,
    current_period_start: account.now,
    current_period_end: monthAfter(account.now),
    prices,
  }
  account.subscriptions.set(subscription.id, subscription)
  return showSubscription(account, subscription)
}

/** Periods stand at the items since API version 2025-03-31. */
export function showSubscription(account: Account, of: Subscription): object {
  const { prices, current_period_start, current_period_end, ...rest } = of
  const data = prices.map((price, place) => ({
    id: `si_${of.id}_${place}`,
    object: 'subscription_item',
    created: of.created,
    metadata: {},
    price: account.prices.get(price),
    subscription: of.id,
    current_period_start,
    current_period_end,
  }))
  return { ...rest, items: { object: 'list', has_more: false, url: '/v1/subscription_items', data } }
}

export function cancelSubscription(account: Account, id: string): object {
  const subscription = account.require(account.subscriptions, 'subscription', id)
  subscription.status = 'canceled'
  return showSubscription(account, subscription)
}

/** What the passing of time does: periods end, and drafts become final. */
export function passTime(account: Account, emit: Emit): void {
  for (const subscription of account.subscriptions.values()) {
    while (subscription.status === 'active' && subscription.current_period_end <= account.now) {
      const period = { start: subscription.current_period_start, end: subscription.current_period_end }
      const [price] = subscription.prices
      const invoice = draft(account, {
        customer: subscription.customer,
        currency: currencyOf(account, price),
        isAutomatic: true,
        metadata: {},
        description: null,
        subscription: subscription.id,
        period,
      })
      invoice.automatically_finalizes_at = period.end + graceSeconds
      refreshUsage(account, invoice)
      emit('invoice.created', showInvoice(invoice))
      subscription.current_period_start = period.end
      subscription.current_period_end = monthAfter(period.end)
    }
  }
  for (const invoice of account.invoices.values())
    if (invoice.status === 'draft' && (invoice.automatically_finalizes_at ?? Number.POSITIVE_INFINITY) <= account.now)
      finalizeInvoice(account, invoice.id, emit)
}

function currencyOf(account: Account, price = ''): string {
  const currency = account.prices.get(price)?.['currency']
  return typeof currency === 'string' ? currency : 'usd'
}

/** Usage that comes while the invoice is a draft is still billed by it. */
function refreshUsage(account: Account, invoice: Invoice): void {
  const subscription = account.require(account.subscriptions, 'subscription', invoice.subscription ?? '')
  invoice.held = invoice.held.filter((line) => line.metadata['usage'] === undefined)
  for (const id of subscription.prices) {
    const price = account.require(account.prices, 'price', id)
    const meter = account.meters.get(String((price['recurring'] as { meter: string | null }).meter))
    if (meter === undefined) continue
    const quantity = usageOf(account, {
      meter,
      customer: subscription.customer,
      from: invoice.period_start,
      to: invoice.period_end,
    })
    const metadata = { usage: meter.id }
    const amount = priceUsage(price, quantity)
    invoice.held.push(newLine(account, invoice, { amount, quantity: Number(quantity), metadata }))
  }
}

function requireDraft(account: Account, id: string): Invoice {
  const invoice = account.require(account.invoices, 'invoice', id)
  if (invoice.status !== 'draft')
    throw invalid('This invoice is no longer editable: it is not a draft.', 'invoice', 'invoice_not_editable')
  return invoice
}

export const monthAfter = (seconds: number): number => {
  const at = new Date(seconds * 1000)
  return at.setUTCMonth(at.getUTCMonth() + 1) / 1000
}
