import type { StripeEvent } from './stripe/read-event.ts'

/** What an event makes us do. What it says itself is never believed: the object is fetched anew. */
export type EventEffect =
  | { readonly kind: 'look_at_invoice'; readonly id: string }
  | { readonly kind: 'look_at_credit_note'; readonly id: string }
  | { readonly kind: 'look_at_paid'; readonly by: 'charge' | 'refund'; readonly id: string }
  | { readonly kind: 'reject_usage' }
  | { readonly kind: 'look_at_customer'; readonly id: string }
  | { readonly kind: 'none' }

/** docs.stripe.com/api/events/types. Whatever stands on no line here is kept as ignored. */
export function effectOf({ type, objectId: id }: StripeEvent): EventEffect {
  // Of a meter that is not there it is about nothing.
  if (type === 'v1.billing.meter.error_report_triggered' || type === 'v1.billing.meter.no_meter_found')
    return { kind: 'reject_usage' }
  if (id === undefined) return { kind: 'none' }
  switch (type) {
    case 'invoice.created':
    case 'invoice.deleted':
    case 'invoice.finalization_failed':
    case 'invoice.finalized':
    case 'invoice.marked_uncollectible':
    case 'invoice.overpaid':
    case 'invoice.paid':
    case 'invoice.payment_action_required':
    case 'invoice.payment_failed':
    case 'invoice.payment_succeeded':
    case 'invoice.updated':
    case 'invoice.voided':
      return { kind: 'look_at_invoice', id }
    case 'credit_note.created':
    case 'credit_note.updated':
    case 'credit_note.voided':
      return { kind: 'look_at_credit_note', id }
    case 'charge.refunded':
      return { kind: 'look_at_paid', by: 'charge', id }
    case 'refund.created':
    case 'refund.failed':
    case 'refund.updated':
      return { kind: 'look_at_paid', by: 'refund', id }
    case 'customer.deleted':
      return { kind: 'look_at_customer', id }
    default:
      return { kind: 'none' }
  }
}

/** Events that somebody has to be told of, whatever comes of them. */
export const isAlarm = (type: string): boolean =>
  ['invoice.payment_failed', 'invoice.finalization_failed', 'charge.dispute.created'].includes(type)
