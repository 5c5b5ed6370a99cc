import Stripe from 'stripe'
import { z } from 'zod'
import { assert, err, ok, type Instant, type Result } from '../../kernel/index.ts'

/** docs.stripe.com/webhooks: the tolerance of the SDK's own check, which looks at the past only. */
const toleranceSeconds = 300

export type EventRefusal = { readonly reason: 'signature_invalid' } | { readonly reason: 'signature_out_of_time' }

export interface StripeEvent {
  readonly id: string
  readonly type: string
  /** The object it is about, which is fetched anew: what the event shows may be old. */
  readonly objectId: string | undefined
}

/** Of an event and of a thin one, which only says what it is about. Whatever else stands there may be old. */
const Delivered = z.looseObject({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  data: z.looseObject({ object: z.looseObject({ id: z.string().optional() }) }).optional(),
  related_object: z.looseObject({ id: z.string() }).nullish(),
})

/**
 * A delivery, if Stripe signed these very bytes within five minutes of now. The SDK lets a signature of the future pass, so
 * that one captured from a wrong clock would be good for long: it is refused here. Several secrets hold while one takes the
 * place of another, and where thin events come by an endpoint of their own.
 */
export async function readEvent(
  stripe: Stripe,
  delivery: { body: string; signature: string; secrets: readonly string[]; now: Instant },
): Promise<Result<StripeEvent, EventRefusal>> {
  const signedAt = Number(/(?:^|,)t=(\d{1,12})(?:,|$)/u.exec(delivery.signature)?.[1])
  if (!(Math.abs(delivery.now / 1000 - signedAt) <= toleranceSeconds)) return err({ reason: 'signature_out_of_time' })
  for (const secret of delivery.secrets)
    if (await isSigned(stripe, { ...delivery, secret })) {
      const { id, type, data, related_object: related } = Delivered.parse(JSON.parse(delivery.body))
      return ok({ id, type, objectId: related?.id ?? data?.object.id })
    }
  return err({ reason: 'signature_invalid' })
}

/** `constructEvent` refuses thin events, and its counterpart all others; the check of the signature is the same for both. */
async function isSigned(
  { webhooks: { signature: checker } }: Stripe,
  { body, signature, secret, now }: { body: string; signature: string; secret: string; now: Instant },
): Promise<boolean> {
  assert(checker !== null, 'the SDK can check signatures')
  // An empty secret is one that everybody knows.
  if (secret.trim() === '') return false
  try {
    return await checker.verifyHeaderAsync(body, signature, secret, toleranceSeconds, undefined, now)
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return false
    throw error
  }
}
