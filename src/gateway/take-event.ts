import { err, ok, type Result } from '../kernel/index.ts'
import { receiveEvent, type StripeDoor } from '../billing/index.ts'
import type { Sensitive } from '../privacy/index.ts'
import type { Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** An event with the first ten lines of an invoice has some twenty thousand bytes. */
const eventBytesMax = 512 * 1024

/** What a delivery brings: its bytes as they came, and who says to have signed them. */
export interface Delivery {
  readonly signature: string | undefined
  body(bytesMax: number): Promise<Result<Sensitive<string>, Refusal>>
}

/**
 * Takes an event of Stripe's (docs.stripe.com/webhooks). Without a signature its bytes are not read, and without a good one
 * nothing is written. Whatever is signed is answered 200, what does not concern us as well: Stripe would send it for three days.
 */
export async function takeEvent(
  gateway: Gateway,
  stripe: StripeDoor,
  delivery: Delivery,
): Promise<Result<{ received: true }, readonly Refusal[]>> {
  const { signature } = delivery
  if (signature === undefined || signature.length > 1_000) return err([{ reason: 'signature_invalid' }])
  const body = await delivery.body(eventBytesMax)
  if (!body.ok) return err([body.error])
  const event = await stripe.readEvent({ body: body.value.reveal(), signature, now: gateway.clock.now() })
  if (!event.ok) return err([event.error])
  const { database, log, clock } = gateway
  const received = await receiveEvent({ database, log, sink: stripe.sink, now: () => clock.now() }, event.value)
  gateway.log.info('stripe.event', { type: event.value.type, received })
  return received === 'busy' ? err([{ reason: 'unavailable', retryAfterSeconds: 2 }]) : ok({ received: true })
}
