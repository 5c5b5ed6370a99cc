import Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { ReportOutcome, UsageReport } from '../money-sink.ts'
import { checked } from './checked.ts'

/** Reports the total of an hour (docs.stripe.com/api/billing/meter-event/create). That it was taken does not prove it counts. */
export async function reportUsage(stripe: Stripe, report: UsageReport): Promise<ReportOutcome> {
  try {
    const taken = await checked(
      'billing.meter_event',
      stripe.billing.meterEvents.create(
        {
          event_name: report.eventName,
          payload: { stripe_customer_id: report.customer, value: String(report.quantity) },
          identifier: report.identifier,
          timestamp: report.hour / 1000,
        },
        { idempotencyKey: report.idempotencyKey },
      ),
    )
    if (taken.identifier !== report.identifier)
      throw new Failure('stripe', 'an answer to another usage event', { retryable: true })
    return 'taken'
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error
    // An attempt before this one arrived, and nobody heard.
    return /already exists with identifier/u.test(error.message) ? 'taken' : 'refused'
  }
}
