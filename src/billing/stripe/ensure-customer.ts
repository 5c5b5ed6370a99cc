import type Stripe from 'stripe'
import { checked } from './checked.ts'

/** Pages of a hundred looked through for a customer that was made and not noted. */
const pagesMax = 100

/** The customer of a tenant: the one that carries its id, or a new one. The key covers a crash within a day, the look one later. */
export async function ensureCustomer(stripe: Stripe, tenant: { tenantId: string; name: string }): Promise<string> {
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.customers.list({ limit: 100, ...(after === undefined ? {} : { starting_after: after }) }),
    )
    const found = listed.data.find((customer) => customer.metadata['formulary_tenant'] === tenant.tenantId)
    if (found !== undefined) return found.id
    after = listed.data.at(-1)?.id
    if (!listed.has_more) break
  }
  const made = await checked(
    'customer',
    stripe.customers.create(
      { name: tenant.name, metadata: { formulary_tenant: tenant.tenantId } },
      { idempotencyKey: `formulary:customer:${tenant.tenantId}` },
    ),
  )
  return made.id
}
