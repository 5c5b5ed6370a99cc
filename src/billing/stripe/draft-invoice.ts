import type Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { InvoicePush } from '../money-sink.ts'
import { checked } from './checked.ts'

/** What Stripe takes in one call (docs.stripe.com/api/invoices/add_lines). */
const linesPerCall = 250
/** Pages of a hundred: invoices of a customer, lines of an invoice. */
const pagesMax = 100

/**
 * Brings an invoice of ours to Stripe as a draft with all its lines. Interrupted anywhere, it goes on from what is there: the
 * invoice is found by our number, its lines by theirs, also after a day, when Stripe has forgotten the key. Returns its id.
 */
export async function draftInvoice(stripe: Stripe, push: InvoicePush): Promise<string> {
  const invoice = (await findByNumber(stripe, push)) ?? (await createDraft(stripe, push))
  if (invoice.status !== 'draft') return invoice.id
  const there = await linesOf(stripe, invoice)
  const absent = push.lines.filter(({ line }) => !there.has(line))
  for (let from = 0; from < absent.length; from += linesPerCall) {
    const lines = absent.slice(from, from + linesPerCall).map((line) => ({
      amount: Number(line.amountMinor),
      description: line.description,
      metadata: { formulary_line: line.line, ...(line.sku === undefined ? {} : { formulary_sku: line.sku }) },
    }))
    // The first line that is absent names the call, so that going on elsewhere is another one.
    const idempotencyKey = `${push.idempotencyKey}:lines:${there.size + from}`
    await checked('invoice', stripe.invoices.addLines(invoice.id, { lines }, { idempotencyKey }))
  }
  return invoice.id
}

/** It becomes final, and waits for its payment. Whoever calls has seen that all of it is ours. */
export async function finalizeInvoice(stripe: Stripe, id: string, idempotencyKey: string): Promise<void> {
  await checked(
    'invoice',
    stripe.invoices.finalizeInvoice(id, { auto_advance: false }, { idempotencyKey: `${idempotencyKey}:final` }),
  )
}

async function findByNumber(stripe: Stripe, push: InvoicePush): Promise<Stripe.Invoice | undefined> {
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.invoices.list({
        customer: push.customer,
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    const found = listed.data.find((invoice) => invoice.metadata?.['formulary_invoice'] === push.invoice)
    if (found !== undefined || !listed.has_more) return found
    after = listed.data.at(-1)?.id
  }
  return undefined
}

const createDraft = (stripe: Stripe, push: InvoicePush): Promise<Stripe.Invoice> =>
  checked(
    'invoice',
    stripe.invoices.create(
      {
        customer: push.customer,
        currency: push.currency.toLowerCase(),
        auto_advance: false,
        pending_invoice_items_behavior: 'exclude',
        metadata: { formulary_invoice: push.invoice },
      },
      { idempotencyKey: `${push.idempotencyKey}:draft` },
    ),
  )

async function linesOf(stripe: Stripe, { id, lines }: Stripe.Invoice): Promise<ReadonlySet<string>> {
  const nameOf = ({ metadata }: Stripe.InvoiceLineItem) => metadata['formulary_line'] ?? ''
  if (!lines.has_more) return new Set(lines.data.map(nameOf))
  const names = new Set<string>()
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.invoices.listLineItems(id, { limit: 100, ...(after === undefined ? {} : { starting_after: after }) }),
    )
    for (const line of listed.data) names.add(nameOf(line))
    if (!listed.has_more) return names
    after = listed.data.at(-1)?.id
  }
  throw new Failure('stripe', 'an invoice with more lines than we send', { retryable: false })
}
