import type Stripe from 'stripe'
import type { CreditPush } from '../money-sink.ts'
import { checked } from './checked.ts'

/** Pages of a hundred looked through. */
const pagesMax = 10

/**
 * Takes an invoice back at Stripe by a credit note (docs.stripe.com/api/credit_notes/create): first what is still due, then, of
 * what was paid, as a credit of the customer that its next invoices use. Found by our number when it is there. Returns its id.
 */
export async function issueCredit(stripe: Stripe, push: CreditPush): Promise<string> {
  const found = await findByNumber(stripe, push)
  if (found !== undefined) return found
  const invoice = await checked('invoice', stripe.invoices.retrieve(push.credits))
  const remaining = BigInt(invoice.amount_remaining)
  const paid = push.amountMinor > remaining ? push.amountMinor - remaining : 0n
  const note = await checked(
    'credit_note',
    stripe.creditNotes.create(
      {
        invoice: push.credits,
        amount: Number(push.amountMinor),
        ...(paid > 0n ? { credit_amount: Number(paid) } : {}),
        memo: push.reason.slice(0, 500),
        metadata: { formulary_invoice: push.invoice },
      },
      // What was paid meanwhile makes it another call.
      { idempotencyKey: `${push.idempotencyKey}:credit:${paid}` },
    ),
  )
  return note.id
}

async function findByNumber(stripe: Stripe, push: CreditPush): Promise<string | undefined> {
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.creditNotes.list({
        invoice: push.credits,
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    const found = listed.data.find((note) => note.metadata?.['formulary_invoice'] === push.invoice)
    if (found !== undefined || !listed.has_more) return found?.id
    after = listed.data.at(-1)?.id
  }
  return undefined
}
