import type Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { StripeBooks, StripeLine } from '../reconcile/stripe-books.ts'
import { checked } from './checked.ts'
import { readUsage } from './read-usage.ts'

/** What a reconciliation reads at Stripe; it writes nothing there. */
export const stripeBooks = (stripe: Stripe): StripeBooks => ({
  readUsage: (of) => readUsage(stripe, of),
  readLines: (invoice) => readLines(stripe, invoice),
})

/** A hundred lines each. */
const pagesMax = 100

/** The lines of an invoice, those included that somebody added there by hand (docs.stripe.com/api/invoices/invoice_lines). */
async function readLines(stripe: Stripe, invoice: string): Promise<readonly StripeLine[]> {
  const lines: StripeLine[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.invoices.listLineItems(invoice, {
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    for (const { id, amount, metadata } of listed.data)
      lines.push({ stripeLine: id, line: metadata['formulary_line'], amountMinor: BigInt(amount) })
    if (!listed.has_more) return lines
    after = listed.data.at(-1)?.id
  }
  throw new Failure('stripe', 'an invoice with more lines than we send', { retryable: false })
}
