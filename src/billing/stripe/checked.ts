import Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'

/**
 * What a call answered, if it is what was asked for. The SDK takes an answer that is no 2xx and has no `error` for
 * success (a 404 of a proxy, say), so that every answer is looked at.
 * @throws Failure when Stripe was not reached or the answer is something else; Stripe's own refusals as they are.
 */
export async function checked<T extends { object: string; lastResponse: { statusCode: number } }>(
  object: T['object'],
  call: Promise<T>,
): Promise<T> {
  const reply = await call.catch((error: unknown) => {
    throw asFailure(error)
  })
  const { statusCode } = reply.lastResponse
  if (statusCode < 200 || statusCode > 299 || reply.object !== object)
    throw new Failure('stripe', `an answer of ${statusCode} that is no ${object}`, { retryable: true })
  return reply
}

/** An outage and a limit are failures. What Stripe refused stays what it is. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error
  const isRefusal = error instanceof Stripe.errors.StripeInvalidRequestError
  if (isRefusal) return error
  return new Failure('stripe', error.type, {
    retryable: !(error instanceof Stripe.errors.StripeAuthenticationError),
    cause: error,
  })
}
