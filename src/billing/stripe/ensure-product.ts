import type Stripe from 'stripe'
import { checked } from './checked.ts'

/** Pages of a hundred looked through. */
const pagesMax = 100

/** The product of what is sold: the one that carries its name, or a new one. The key covers a crash within a day, the look one later. */
export async function ensureProduct(stripe: Stripe, { sku, name }: { sku: string; name: string }): Promise<string> {
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const listed = await checked(
      'list',
      stripe.products.list({ limit: 100, ...(after === undefined ? {} : { starting_after: after }) }),
    )
    const found = listed.data.find(({ metadata }) => metadata['formulary_sku'] === sku)
    if (found !== undefined) return found.id
    after = listed.data.at(-1)?.id
    if (!listed.has_more) break
  }
  const made = await checked(
    'product',
    stripe.products.create({ name, metadata: { formulary_sku: sku } }, { idempotencyKey: `formulary:product:${sku}` }),
  )
  return made.id
}
