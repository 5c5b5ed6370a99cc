import type Stripe from 'stripe'
import { checked } from './checked.ts'

/** Pages of a hundred looked through. */
const pagesMax = 100

/**
 * The meter of an event name, whose hours are each worth their newest event: a report that comes twice, or on another day,
 * says the same total and adds nothing.
 */
export async function ensureMeter(stripe: Stripe, eventName: string): Promise<string> {
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.billing.meters.list({
        status: 'active',
        limit: 100,
        ...(after === undefined ? {} : { starting_after: after }),
      }),
    )
    const found = listed.data.find((meter) => meter.event_name === eventName)
    if (found !== undefined) return found.id
    after = listed.data.at(-1)?.id
    if (!listed.has_more) break
  }
  const made = await checked(
    'billing.meter',
    stripe.billing.meters.create(
      {
        display_name: eventName,
        event_name: eventName,
        default_aggregation: { formula: 'sum' },
        event_time_window: 'hour',
      },
      { idempotencyKey: `formulary:meter:${eventName}` },
    ),
  )
  return made.id
}
