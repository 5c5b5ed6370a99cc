import Stripe from 'stripe'
import { Failure } from '../../kernel/index.ts'
import type { PriceThere, PriceWish } from '../money-sink.ts'
import { PriceShape } from '../price-shape.ts'
import { checked } from './checked.ts'

/**
 * The price under a key, as it is there: found, or made as it is wished. A price is never edited (docs.stripe.com/api/prices/update
 * has no amounts), so that what was found may be another one than was wished, and is told as it is.
 */
export async function ensurePrice(stripe: Stripe, wish: PriceWish): Promise<PriceThere> {
  const listed = await checked(
    'list',
    stripe.prices.list({ lookup_keys: [wish.lookupKey], limit: 1, expand: ['data.tiers'] }),
  )
  const [found] = listed.data
  return found === undefined ? create(stripe, wish) : shown(found)
}

async function create(stripe: Stripe, wish: PriceWish): Promise<PriceThere> {
  const { product, currency, lookupKey, meterId } = wish
  const made = await checked(
    'price',
    stripe.prices.create(
      {
        product,
        currency: currency.toLowerCase(),
        lookup_key: lookupKey,
        recurring:
          meterId === undefined
            ? { interval: 'month', usage_type: 'licensed' }
            : { interval: 'month', usage_type: 'metered', meter: meterId },
        expand: ['tiers'],
        ...amountsOf(wish.shape),
      },
      { idempotencyKey: `formulary:price:${lookupKey}` },
    ),
  )
  return shown(made)
}

function amountsOf(shape: PriceShape): Partial<Stripe.PriceCreateParams> {
  switch (shape.kind) {
    case 'per_unit':
      return { unit_amount_decimal: Stripe.Decimal.from(shape.amount) }
    case 'package':
      return {
        unit_amount_decimal: Stripe.Decimal.from(shape.amount),
        transform_quantity: { divide_by: shape.per, round: 'up' },
      }
    case 'tiered':
      return {
        billing_scheme: 'tiered',
        tiers_mode: shape.mode,
        tiers: shape.tiers.map(({ upTo, amount }) => ({
          up_to: upTo ?? 'inf',
          unit_amount_decimal: Stripe.Decimal.from(amount),
        })),
      }
  }
}

const shown = (price: Stripe.Price): PriceThere => ({ price: price.id, shape: shapeOf(price) })

function shapeOf(price: Stripe.Price): PriceShape {
  const { tiers, tiers_mode: mode, unit_amount_decimal: amount, transform_quantity: transform } = price
  const read = PriceShape.safeParse(
    tiers !== undefined
      ? {
          kind: 'tiered',
          mode,
          tiers: tiers.map((tier) => ({ upTo: tier.up_to, amount: textOf(tier.unit_amount_decimal) })),
        }
      : transform === null
        ? { kind: 'per_unit', amount: textOf(amount) }
        : { kind: 'package', per: transform.divide_by, amount: textOf(amount) },
  )
  if (!read.success)
    throw new Failure('stripe', `a price ${price.id} of a form that we do not make`, { retryable: false })
  return read.data
}

const textOf = (amount: { toString(): string } | null): string | undefined => amount?.toString()
