import type Stripe from 'stripe'
import { z } from 'zod'
import { Failure } from '../../kernel/index.ts'
import type { RejectedReport } from '../money-sink.ts'

/** docs.stripe.com/billing/subscriptions/usage-based/recording-usage: the samples of an error report. */
const ErrorReport = z.looseObject({
  object: z.literal('v2.core.event'),
  data: z.looseObject({
    reason: z.looseObject({
      error_types: z.array(
        z.looseObject({
          code: z.string(),
          sample_errors: z.array(
            z.looseObject({ request: z.looseObject({ identifier: z.string().nullish() }).nullish() }),
          ),
        }),
      ),
    }),
  }),
})

/** The reports that an event says were not counted. A thin event carries no data: it is fetched. */
export async function readRejected(stripe: Stripe, eventId: string): Promise<readonly RejectedReport[]> {
  const event = ErrorReport.safeParse(await stripe.v2.core.events.retrieve(eventId))
  if (!event.success) throw new Failure('stripe', 'an answer that is no report of errors', { retryable: true })
  return event.data.data.reason.error_types.flatMap(({ code, sample_errors: samples }) =>
    samples.flatMap(({ request }) =>
      request?.identifier === undefined || request.identifier === null
        ? []
        : [{ code, identifier: request.identifier }],
    ),
  )
}
