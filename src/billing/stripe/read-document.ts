import Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { DocumentKind, InvoiceThere, LineThere } from '../money-sink.ts'
import { checked } from './checked.ts'

/** Pages of a hundred: lines, payments, refunds. */
const pagesMax = 100

/** An invoice or a credit note as it stands at Stripe now, whole: all its lines, and what came in for it. */
export async function readDocument(stripe: Stripe, kind: DocumentKind, id: string): Promise<InvoiceThere | undefined> {
  try {
    return kind === 'invoice' ? await readInvoice(stripe, id) : await readCredit(stripe, id)
  } catch (error) {
    // A draft can be deleted; whatever is final stays.
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing') return undefined
    throw error
  }
}

async function readInvoice(stripe: Stripe, id: string): Promise<InvoiceThere> {
  const invoice = await checked('invoice', stripe.invoices.retrieve(id))
  return {
    id: invoice.id,
    invoice: invoice.metadata?.['formulary_invoice'],
    customer: idOf(invoice.customer),
    currency: invoice.currency.toUpperCase(),
    status: invoice.status ?? 'unknown',
    totalMinor: BigInt(invoice.total),
    collectedMinor: invoice.amount_paid === 0 ? 0n : BigInt(invoice.amount_paid) - (await givenBack(stripe, id)),
    lines: invoice.lines.has_more ? await linesOf(stripe, id) : invoice.lines.data.map(lineOf),
  }
}

async function readCredit(stripe: Stripe, id: string): Promise<InvoiceThere> {
  const note = await checked('credit_note', stripe.creditNotes.retrieve(id))
  const totalMinor = -BigInt(note.total)
  return {
    id: note.id,
    invoice: note.metadata?.['formulary_invoice'],
    customer: idOf(note.customer),
    currency: note.currency.toUpperCase(),
    status: note.status,
    totalMinor,
    collectedMinor: 0n,
    lines: [{ line: 'total', amountMinor: totalMinor }],
  }
}

async function linesOf(stripe: Stripe, invoice: string): Promise<readonly LineThere[]> {
  const lines: LineThere[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.invoices.listLineItems(invoice, { limit: 100, ...(after === undefined ? {} : { starting_after: after }) }),
    )
    lines.push(...listed.data.map(lineOf))
    if (!listed.has_more) return lines
    after = listed.data.at(-1)?.id
  }
  throw new Failure('stripe', 'an invoice with more lines than we send', { retryable: false })
}

const lineOf = ({ metadata, amount }: Stripe.InvoiceLineItem): LineThere => ({
  line: metadata['formulary_line'],
  amountMinor: BigInt(amount),
})

/**
 * What was refunded of an invoice's payments (docs.stripe.com/api/refunds/list). An invoice stays paid, and its amount_paid as
 * it was, when its money goes back. Of a payment for several invoices no more is counted than it paid for this one.
 */
async function givenBack(stripe: Stripe, invoice: string): Promise<bigint> {
  let sum = 0n
  const payments = await checked('list', stripe.invoicePayments.list({ invoice, status: 'paid', limit: 100 }))
  if (payments.has_more)
    throw new Failure('stripe', 'an invoice with more than a hundred payments', { retryable: false })
  for (const { payment, amount_paid: paid } of payments.data) {
    const payment_intent = payment.payment_intent === undefined ? undefined : idOf(payment.payment_intent)
    if (payment_intent === undefined) continue
    const refunds = await checked('list', stripe.refunds.list({ payment_intent, limit: 100 }))
    const back = refunds.data
      .filter(({ status }) => status !== 'failed' && status !== 'canceled')
      .reduce((total, { amount }) => total + BigInt(amount), 0n)
    sum += back < BigInt(paid ?? 0) ? back : BigInt(paid ?? 0)
  }
  return sum
}

export const idOf = (of: string | { readonly id: string } | null): string =>
  typeof of === 'string' ? of : (of?.id ?? '')
