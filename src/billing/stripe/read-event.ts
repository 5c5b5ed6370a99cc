import Stripe from 'stripe'
import { err, ok, type Instant, type Result } from '../../kernel/index.ts'

/** docs.stripe.com/webhooks: the tolerance of the SDK's own check, which looks at the past only. */
const toleranceSeconds = 300

export type EventRefusal = { readonly reason: 'signature_invalid' } | { readonly reason: 'signature_out_of_time' }

export interface StripeEvent {
  readonly id: string
  readonly type: string
  /** The object it is about, which is fetched anew: what the event shows may be old. */
  readonly objectId: string | undefined
}

/**
 * A delivery, if Stripe signed these very bytes within five minutes of now. The SDK lets a signature of the future pass, so
 * that one captured from a wrong clock would be good for long: it is refused here.
 */
export async function readEvent(
  stripe: Stripe,
  delivery: { body: string; signature: string; secret: string; now: Instant },
): Promise<Result<StripeEvent, EventRefusal>> {
  // An empty secret is one that everybody knows.
  if (delivery.secret === '') return err({ reason: 'signature_invalid' })
  const signedAt = Number(/(?:^|,)t=(\d{1,12})(?:,|$)/u.exec(delivery.signature)?.[1])
  if (!(Math.abs(delivery.now / 1000 - signedAt) <= toleranceSeconds)) return err({ reason: 'signature_out_of_time' })
  try {
    const event = await stripe.webhooks.constructEventAsync(
      delivery.body,
      delivery.signature,
      delivery.secret,
      toleranceSeconds,
      undefined,
      delivery.now,
    )
    return ok({ id: event.id, type: event.type, objectId: idOf(event) })
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return err({ reason: 'signature_invalid' })
    throw error
  }
}

/** A snapshot carries its object, a thin event only says which it is. */
function idOf(event: object): string | undefined {
  const about =
    'related_object' in event
      ? event.related_object
      : 'data' in event
        ? (event.data as { object?: unknown }).object
        : {}
  return typeof about === 'object' && about !== null && 'id' in about && typeof about.id === 'string'
    ? about.id
    : undefined
}
