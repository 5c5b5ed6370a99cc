import { newestFirst, type Account, type Thing } from './account.ts'
import { showInvoice } from './invoices.ts'
import { pageOf } from './pages.ts'
import { metadataOf, requireText, textOf, wholeOf, type Params } from './params.ts'
import { invalid } from './problem.ts'
import type { Emit } from './webhooks.ts'

/**
 * A finalized invoice is corrected by a credit note only (https://docs.stripe.com/api/credit_notes/create). It first reduces
 * what is due; what goes beyond that is refunded, credited to the customer or given back elsewhere, and the three add up to it.
 */
export function createCreditNote(account: Account, params: Params, emit: Emit): Thing {
  const invoice = account.require(account.invoices, 'invoice', requireText(params, 'invoice'))
  if (invoice.status !== 'open' && invoice.status !== 'paid')
    throw invalid('The invoice must be open or paid.', 'invoice')
  const amount = wholeOf(params, 'amount') ?? 0
  const credited = invoice.pre_payment_credit_notes_amount + invoice.post_payment_credit_notes_amount
  const left = invoice.total - credited
  if (amount < 1 || amount > left) throw invalid(`The credit note must be between 1 and ${left}.`, 'amount')
  const remaining = invoice.status === 'paid' ? 0 : left - invoice.amount_paid
  const before = Math.min(amount, remaining)
  const after = amount - before
  const given = ['refund_amount', 'credit_amount', 'out_of_band_amount'].map((name) => wholeOf(params, name) ?? 0)
  if (given.reduce((sum, one) => sum + one, 0) !== after)
    throw invalid(`The sum of refund_amount, credit_amount and out_of_band_amount must be ${after}.`)
  invoice.pre_payment_credit_notes_amount += before
  invoice.post_payment_credit_notes_amount += after
  const isSettled = invoice.status === 'open' && before === remaining
  if (isSettled) {
    invoice.status = 'paid'
    invoice.status_transitions.paid_at = account.now
  }
  const count = [...account.creditNotes.values()].filter((one) => one['invoice'] === invoice.id).length
  const note: Thing = {
    id: account.newId('cn'),
    object: 'credit_note',
    created: account.now,
    amount,
    total: amount,
    subtotal: amount,
    currency: invoice.currency,
    customer: invoice.customer,
    invoice: invoice.id,
    livemode: false,
    memo: textOf(params, 'memo') ?? null,
    metadata: metadataOf(params),
    number: `${invoice.number}-CN-${String(count + 1).padStart(2, '0')}`,
    post_payment_amount: after,
    pre_payment_amount: before,
    status: 'issued',
    type: after === 0 ? 'pre_payment' : before === 0 ? 'post_payment' : 'mixed',
  }
  account.creditNotes.set(note.id, note)
  emit('credit_note.created', note)
  if (isSettled) emit('invoice.paid', showInvoice(invoice))
  return note
}

/** https://docs.stripe.com/api/credit_notes/list */
export function listCreditNotes(account: Account, params: Params): object {
  const invoice = textOf(params, 'invoice')
  const found = newestFirst(account.creditNotes).filter((one) => invoice === undefined || one['invoice'] === invoice)
  return pageOf('/v1/credit_notes', found, params)
}
