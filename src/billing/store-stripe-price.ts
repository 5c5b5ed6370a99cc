import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { PriceShape } from './price-shape.ts'

export async function findProduct(tx: Tx, sku: string): Promise<string | undefined> {
  const row = await tx.selectFrom('stripe_product').select('product').where('sku', '=', sku).executeTakeFirst()
  return row?.product
}

export async function noteProduct(tx: Tx, of: { sku: string; product: string; now: Instant }): Promise<void> {
  await tx
    .insertInto('stripe_product')
    .values({ sku: of.sku, product: of.product, recorded_at: new Date(of.now) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** The prices of several keys, as Stripe has them; those that are not known there are absent. */
export async function loadShapes(tx: Tx, lookupKeys: readonly string[]): Promise<ReadonlyMap<string, PriceShape>> {
  if (lookupKeys.length === 0) return new Map()
  const rows = await tx
    .selectFrom('stripe_price')
    .select(['lookup_key', 'shape'])
    .where('lookup_key', 'in', lookupKeys)
    .execute()
  return new Map(rows.map((row) => [row.lookup_key, PriceShape.parse(row.shape)]))
}

export async function notePrice(
  tx: Tx,
  of: {
    lookupKey: string
    sku: string
    plan: string
    planRevision: number
    price: string
    shape: PriceShape
    now: Instant
  },
): Promise<void> {
  await tx
    .insertInto('stripe_price')
    .values({
      lookup_key: of.lookupKey,
      sku: of.sku,
      plan: of.plan,
      plan_revision: of.planRevision,
      price: of.price,
      shape: JSON.stringify(of.shape),
      recorded_at: new Date(of.now),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}
