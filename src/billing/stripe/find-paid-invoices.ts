import type Stripe from 'stripe'
import type { PaidBy } from '../money-sink.ts'
import { checked } from './checked.ts'
import { idOf } from './read-document.ts'

/** The invoices that a charge paid, or that a refund takes money from (docs.stripe.com/api/invoice-payment/list). */
export async function findPaidInvoices(stripe: Stripe, { kind, id }: PaidBy): Promise<readonly string[]> {
  const { payment_intent: intent } =
    kind === 'charge'
      ? await checked('charge', stripe.charges.retrieve(id))
      : await checked('refund', stripe.refunds.retrieve(id))
  if (intent === null) return []
  const paid = await checked(
    'list',
    stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: idOf(intent) },
      status: 'paid',
      limit: 100,
    }),
  )
  return [...new Set(paid.data.map(({ invoice }) => idOf(invoice)))]
}
