import Stripe from 'stripe'
import { checked } from './checked.ts'

/** Whether a customer was deleted (docs.stripe.com/api/customers/retrieve: it is answered as deleted then). */
export async function isCustomerGone(stripe: Stripe, customer: string): Promise<boolean> {
  const found = await checked('customer', stripe.customers.retrieve(customer)).catch((error: unknown) => {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing') return undefined
    throw error
  })
  return found === undefined || found.deleted === true
}
