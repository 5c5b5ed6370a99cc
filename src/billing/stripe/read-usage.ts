import type Stripe from 'stripe'
import { Failure, instant, type Instant } from '../../kernel/index.ts'
import { checked } from './checked.ts'

/** A summary is an hour: some four months. */
const pagesMax = 30

/** The totals of a customer's hours, as Stripe has counted them so far. */
export async function readUsage(
  stripe: Stripe,
  of: { customer: string; meterId: string; from: Instant; to: Instant },
): Promise<ReadonlyMap<Instant, bigint>> {
  const totals = new Map<Instant, bigint>()
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.billing.meters.listEventSummaries(of.meterId, {
        customer: of.customer,
        start_time: of.from / 1000,
        end_time: of.to / 1000,
        value_grouping_window: 'hour',
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    for (const summary of listed.data) totals.set(instant(summary.start_time * 1000), BigInt(summary.aggregated_value))
    if (!listed.has_more) return totals
    after = listed.data.at(-1)?.id
  }
  throw new Failure('stripe', 'more summaries than were asked for', { retryable: false })
}
