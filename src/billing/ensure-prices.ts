import { systemTransaction, type Tx } from '../db/index.ts'
import { meterWords } from './invoice.ts'
import type { LookNeeds } from './look-at-document.ts'
import { isRefused, type MoneySink } from './money-sink.ts'
import { shapeOf } from './price-shape.ts'
import { findUsagePrice, type Price } from './prices.ts'
import { lookupKeyOf, skuOf, type Sold } from './sold.ts'
import { loadPriceBook } from './store.ts'
import { findProduct, loadShapes, notePrice, noteProduct } from './store-stripe-price.ts'
import { meterIdOf } from './sync-usage.ts'

/**
 * Makes products and prices of what an invoice sells, where they are not there: a price per thing and revision of a plan, which
 * nobody edits. They say what Stripe's own figures would be; our invoices carry amounts, so that a price that Stripe refuses
 * holds up no invoice. Nothing subscribes to them: it would be billed a second time.
 */
export async function ensurePrices(needs: LookNeeds, sold: readonly Sold[]): Promise<void> {
  const wanted = new Map(sold.map((one) => [lookupKeyOf(one), one]))
  const known = await systemTransaction(needs.database, 'sync-billing', (tx) => loadShapes(tx, [...wanted.keys()]))
  for (const [lookupKey, one] of wanted) {
    if (known.has(lookupKey)) continue
    try {
      await ensureOne(needs, lookupKey, one)
    } catch (error) {
      if (!isRefused(error)) throw error
      needs.log.warn('stripe.price_refused', { lookupKey, why: error.message })
    }
  }
}

async function ensureOne(needs: LookNeeds, lookupKey: string, sold: Sold): Promise<void> {
  const { database, sink, now } = needs
  const inSystem = <T>(work: (tx: Tx) => Promise<T>) => systemTransaction(database, 'sync-billing', work)
  const plan = (await inSystem(loadPriceBook)).get(sold.plan)?.[sold.planRevision - 1]
  const price = plan === undefined ? undefined : priceOf(plan.prices, sold)
  const shape = plan === undefined || price === undefined ? undefined : shapeOf(price, plan.currency)
  if (plan === undefined || shape === undefined) return
  const sku = skuOf(sold)
  const product = await productOf(needs, sink, { sku, name: nameOf(sold) })
  const meterId = sold.meter === 'facility' ? undefined : await meterIdOf(needs, sku)
  const there = await sink.ensurePrice({ lookupKey, product, currency: plan.currency, meterId, shape })
  const { planRevision } = sold
  await inSystem((tx) => notePrice(tx, { lookupKey, sku, plan: plan.plan, planRevision, ...there, now: now() }))
}

const priceOf = (prices: readonly Price[], { model, meter }: Sold): Price | undefined =>
  meter === 'facility' || model === undefined
    ? prices.find((price) => price.meter === 'facility')
    : findUsagePrice(prices, { model, meter })

const nameOf = ({ model, meter }: Sold): string =>
  meter === 'facility' || model === undefined ? 'Facility' : `${model}, ${meterWords[meter]}`

async function productOf(needs: LookNeeds, sink: MoneySink, of: { sku: string; name: string }): Promise<string> {
  const { database, now } = needs
  const known = await systemTransaction(database, 'sync-billing', (tx) => findProduct(tx, of.sku))
  if (known !== undefined) return known
  const product = await sink.ensureProduct(of)
  await systemTransaction(database, 'sync-billing', (tx) => noteProduct(tx, { sku: of.sku, product, now: now() }))
  return product
}
