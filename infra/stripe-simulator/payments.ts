import { newestFirst, type Account, type Invoice, type Payment, type Refund } from './account.ts'
import { showInvoice } from './invoices.ts'
import { takeFault, type Knobs } from './knobs.ts'
import { pageOf } from './pages.ts'
import { groupOf, metadataOf, textOf, wholeOf, type Params } from './params.ts'
import { invalid, missing, Problem } from './problem.ts'
import type { Emit } from './webhooks.ts'

/** https://docs.stripe.com/api/invoices/pay: an open or uncollectible invoice; `paid_out_of_band` moves no money at Stripe. */
export function payInvoice(
  account: Account,
  id: string,
  params: Params,
  { knobs, emit }: { knobs: Knobs; emit: Emit },
): object {
  const invoice = account.require(account.invoices, 'invoice', id)
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
    throw invalid(`This invoice is ${invoice.status}, not open.`)
  invoice.attempt_count++
  if (takeFault(knobs, 'failPayments')) {
    emit('invoice.payment_failed', showInvoice(invoice))
    throw new Problem('Your card was declined.', { status: 402, type: 'card_error', code: 'card_declined' })
  }
  const due = dueOf(invoice)
  invoice.status = 'paid'
  invoice.amount_paid += due
  invoice.status_transitions.paid_at = account.now
  if (textOf(params, 'paid_out_of_band') !== 'true') keepPayment(account, invoice, due)
  emit('invoice.paid', showInvoice(invoice))
  emit('invoice.payment_succeeded', showInvoice(invoice))
  return showInvoice(invoice)
}

const dueOf = (invoice: Invoice): number =>
  invoice.total - invoice.pre_payment_credit_notes_amount - invoice.amount_paid

function keepPayment(account: Account, invoice: Invoice, amount: number): void {
  const payment: Payment = {
    id: account.newId('inpay'),
    object: 'invoice_payment',
    created: account.now,
    metadata: {},
    amount_paid: amount,
    amount_requested: amount,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: account.newId('pi') },
    charge: account.newId('ch'),
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: account.now },
  }
  account.payments.set(payment.id, payment)
}

/** https://docs.stripe.com/api/invoice-payment/list */
export function listPayments(account: Account, params: Params): object {
  const [invoice, status] = [textOf(params, 'invoice'), textOf(params, 'status')]
  const intent = textOf(groupOf(params, 'payment'), 'payment_intent')
  const found = newestFirst(account.payments).filter(
    (one) =>
      (invoice === undefined || one.invoice === invoice) &&
      (status === undefined || one.status === status) &&
      (intent === undefined || one.payment.payment_intent === intent),
  )
  return pageOf('/v1/invoice_payments', found, params)
}

export function showCharge(account: Account, id: string): object {
  const payment = [...account.payments.values()].find(({ charge }) => charge === id)
  if (payment === undefined) throw missing('charge', id)
  const refunded = refundsOf(account, payment).reduce((sum, { amount }) => sum + amount, 0)
  return {
    id,
    object: 'charge',
    amount: payment.amount_paid,
    amount_refunded: refunded,
    created: payment.created,
    livemode: false,
    metadata: {},
    payment_intent: payment.payment.payment_intent,
    refunded: refunded === payment.amount_paid,
    status: 'succeeded',
  }
}

const refundsOf = (account: Account, { payment: { payment_intent: intent } }: Payment): readonly Refund[] =>
  [...account.refunds.values()].filter((one) => one.payment_intent === intent && one.status === 'succeeded')

/** https://docs.stripe.com/api/refunds/create: of a charge or an intent, never more than was paid. The invoice stays paid. */
export function createRefund(account: Account, params: Params, emit: Emit): Refund {
  const [intent, charge] = [textOf(params, 'payment_intent'), textOf(params, 'charge')]
  const payment = [...account.payments.values()].find(
    (one) => one.charge === charge || one.payment.payment_intent === intent,
  )
  if (payment === undefined) throw missing('charge', charge ?? intent ?? '')
  const left = payment.amount_paid - refundsOf(account, payment).reduce((sum, { amount }) => sum + amount, 0)
  const amount = wholeOf(params, 'amount') ?? left
  if (amount < 1 || amount > left)
    throw invalid(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, 'amount')
  const refund: Refund = {
    id: account.newId('re'),
    object: 'refund',
    created: account.now,
    amount,
    charge: payment.charge,
    currency: payment['currency'],
    livemode: false,
    metadata: metadataOf(params),
    payment_intent: payment.payment.payment_intent,
    status: 'succeeded',
  }
  account.refunds.set(refund.id, refund)
  emit('refund.created', refund)
  emit('charge.refunded', showCharge(account, payment.charge))
  return refund
}

/** A bank can send a refund back (https://docs.stripe.com/refunds#failed-refunds). */
export function failRefund(account: Account, id: string, emit: Emit): void {
  const refund = account.require(account.refunds, 'refund', id)
  refund.status = 'failed'
  emit('refund.failed', refund)
}

/** https://docs.stripe.com/api/refunds/list */
export function listRefunds(account: Account, params: Params): object {
  const [intent, charge] = [textOf(params, 'payment_intent'), textOf(params, 'charge')]
  const found = newestFirst(account.refunds).filter(
    (one) => (intent === undefined || one.payment_intent === intent) && (charge === undefined || one.charge === charge),
  )
  return pageOf('/v1/refunds', found, params)
}
