import type Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { InvoicePush, PushedInvoice } from '../money-sink.ts'
import { checked } from './checked.ts'

/** What Stripe takes in one call (docs.stripe.com/api/invoices/add_lines). */
const linesPerCall = 250
/** Pages of a hundred: invoices of a customer, lines of an invoice. */
const pagesMax = 100

/**
 * Brings an invoice of ours to Stripe and makes it final. Interrupted anywhere, it goes on from what is there: the invoice
 * is found by our number, its lines by theirs, also after a day, when Stripe has forgotten the key. It becomes final only
 * when its total is ours.
 */
export async function pushInvoice(stripe: Stripe, push: InvoicePush): Promise<PushedInvoice> {
  const invoice = (await findByNumber(stripe, push)) ?? (await createDraft(stripe, push))
  if (invoice.status !== 'draft') return requireTotal(push, pushed(invoice))
  const there = await linesOf(stripe, invoice.id)
  const absent = push.lines.filter(({ line }) => !there.has(line))
  for (let from = 0; from < absent.length; from += linesPerCall) {
    const lines = absent.slice(from, from + linesPerCall).map((line) => ({
      amount: Number(line.amountMinor),
      description: line.description,
      metadata: { formulary_line: line.line },
    }))
    // The first line that is absent names the call, so that going on elsewhere is another one.
    const idempotencyKey = `${push.idempotencyKey}:lines:${there.size + from}`
    await checked('invoice', stripe.invoices.addLines(invoice.id, { lines }, { idempotencyKey }))
  }
  requireTotal(push, await findInvoice(stripe, invoice.id))
  const finalized = await checked(
    'invoice',
    stripe.invoices.finalizeInvoice(
      invoice.id,
      { auto_advance: false },
      { idempotencyKey: `${push.idempotencyKey}:final` },
    ),
  )
  return pushed(finalized)
}

export const findInvoice = async (stripe: Stripe, id: string): Promise<PushedInvoice> =>
  pushed(await checked('invoice', stripe.invoices.retrieve(id)))

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

async function linesOf(stripe: Stripe, invoice: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.invoices.listLineItems(invoice, {
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    for (const { metadata } of listed.data) names.add(metadata['formulary_line'] ?? '')
    if (!listed.has_more) return names
    after = listed.data.at(-1)?.id
  }
  throw new Failure('stripe', 'an invoice with more lines than we send', { retryable: false })
}

function requireTotal(push: InvoicePush, invoice: PushedInvoice): PushedInvoice {
  const total = push.lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
  if (invoice.totalMinor !== total)
    throw new Failure('stripe', `invoice ${push.invoice} is ${invoice.totalMinor} there and ${total} here`, {
      retryable: false,
    })
  return invoice
}

const pushed = (invoice: Stripe.Invoice): PushedInvoice => ({
  id: invoice.id,
  status: invoice.status ?? 'unknown',
  totalMinor: BigInt(invoice.total),
})
