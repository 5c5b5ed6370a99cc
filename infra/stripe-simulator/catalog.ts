import { newestFirst, type Account, type Thing } from './account.ts'
import { pageOf } from './pages.ts'
import { groupOf, listOf, metadataOf, requireText, textOf, wholeOf, type Params } from './params.ts'
import { invalid } from './problem.ts'
import type { Emit } from './webhooks.ts'

export function createCustomer(account: Account, params: Params): Thing {
  const customer: Thing = {
    id: account.newId('cus'),
    object: 'customer',
    created: account.now,
    balance: 0,
    currency: null,
    delinquent: false,
    description: textOf(params, 'description') ?? null,
    email: textOf(params, 'email') ?? null,
    livemode: false,
    metadata: metadataOf(params),
    name: textOf(params, 'name') ?? null,
  }
  account.customers.set(customer.id, customer)
  return customer
}

export function updateCustomer(account: Account, id: string, params: Params): Thing {
  const customer = account.require(account.customers, 'customer', id)
  for (const name of ['name', 'email', 'description'] as const)
    if (params[name] !== undefined) customer[name] = textOf(params, name)
  Object.assign(customer.metadata, metadataOf(params))
  return customer
}

/** https://docs.stripe.com/api/customers/delete: it is not listed any more, and is answered as deleted. */
export function deleteCustomer(account: Account, id: string, emit: Emit): object {
  const customer = account.require(account.customers, 'customer', id)
  account.customers.delete(id)
  account.deletedCustomers.add(id)
  emit('customer.deleted', customer)
  return { id, object: 'customer', deleted: true }
}

export const showCustomer = (account: Account, id: string): object =>
  account.deletedCustomers.has(id)
    ? { id, object: 'customer', deleted: true }
    : account.require(account.customers, 'customer', id)

export function createProduct(account: Account, params: Params): Thing {
  const id = textOf(params, 'id') ?? account.newId('prod')
  if (account.products.has(id)) throw invalid('Product already exists.', 'id', 'resource_already_exists')
  const product: Thing = {
    id,
    object: 'product',
    active: true,
    created: account.now,
    updated: account.now,
    description: textOf(params, 'description') ?? null,
    livemode: false,
    metadata: metadataOf(params),
    name: requireText(params, 'name'),
    type: 'service',
  }
  account.products.set(id, product)
  return product
}

/** https://docs.stripe.com/api/prices/create: metered prices name a meter; `unit_amount_decimal` has at most 12 decimals. */
export function createPrice(account: Account, params: Params): Thing {
  const currency = requireText(params, 'currency')
  if (!/^[a-z]{3}$/u.test(currency)) throw invalid(`Invalid currency: ${currency}`, 'currency')
  const product = account.require(account.products, 'product', requireText(params, 'product')).id
  const recurring = groupOf(params, 'recurring')
  const meter = textOf(recurring, 'meter')
  if (textOf(recurring, 'usage_type') === 'metered' && meter === undefined)
    throw invalid('A metered price needs a meter.', 'recurring[meter]')
  if (meter !== undefined) account.require(account.meters, 'billing meter', meter)
  const decimal = textOf(params, 'unit_amount_decimal') ?? textOf(params, 'unit_amount')
  const isTiered = textOf(params, 'billing_scheme') === 'tiered'
  if (!isTiered && !/^\d+(\.\d{1,12})?$/u.test(decimal ?? ''))
    throw invalid('unit_amount_decimal has at most 12 decimal places', 'unit_amount_decimal')
  const transform = groupOf(params, 'transform_quantity')
  const divideBy = wholeOf(transform, 'divide_by')
  const isTransformed = divideBy !== undefined
  if (isTransformed && isTiered)
    throw invalid('transform_quantity cannot be combined with tiers.', 'transform_quantity')
  const lookup = textOf(params, 'lookup_key') ?? null
  if (lookup !== null && [...account.prices.values()].some((price) => price['lookup_key'] === lookup))
    throw invalid(`A price already uses that lookup key: ${lookup}`, 'lookup_key')
  const price: Thing = {
    id: account.newId('price'),
    object: 'price',
    active: true,
    billing_scheme: isTiered ? 'tiered' : 'per_unit',
    created: account.now,
    currency,
    livemode: false,
    lookup_key: lookup,
    metadata: metadataOf(params),
    product,
    recurring: {
      interval: textOf(recurring, 'interval') ?? 'month',
      interval_count: 1,
      meter: meter ?? null,
      usage_type: textOf(recurring, 'usage_type') ?? 'licensed',
      trial_period_days: null,
    },
    tiers_mode: textOf(params, 'tiers_mode') ?? null,
    ...(isTiered ? { tiers: listOf(params, 'tiers').map(shownTier) } : {}),
    transform_quantity: isTransformed ? { divide_by: divideBy, round: textOf(transform, 'round') } : null,
    type: 'recurring',
    unit_amount: decimal !== undefined && /^\d+$/u.test(decimal) ? Number(decimal) : null,
    unit_amount_decimal: decimal ?? null,
  }
  account.prices.set(price.id, price)
  return price
}

export function listPrices(account: Account, params: Params): object {
  const keys = Object.values(groupOf(params, 'lookup_keys'))
  const product = textOf(params, 'product')
  const prices = newestFirst(account.prices).filter(
    (price) =>
      (keys.length === 0 || keys.includes(String(price['lookup_key']))) &&
      (product === undefined || price['product'] === product),
  )
  return pageOf('/v1/prices', prices, params)
}

const decimalPlaces = 12n

/** Smallest units of money for a quantity, rounded half up once for the line. */
export function priceUsage(price: Thing, quantity: bigint): number {
  const scale = 10n ** decimalPlaces
  const scaled = (text: string): bigint => {
    const [whole = '0', fraction = ''] = text.split('.')
    return BigInt(whole) * scale + BigInt(fraction.padEnd(Number(decimalPlaces), '0'))
  }
  const round = (amount: bigint) => Number((amount * 2n + scale) / (scale * 2n))
  const tiers = price['tiers'] as readonly ShownTier[] | undefined
  const transform = price['transform_quantity'] as { divide_by: number; round: string } | null
  if (tiers === undefined) {
    const by = BigInt(transform?.divide_by ?? 1)
    const packages = (quantity + (transform?.round === 'up' ? by - 1n : 0n)) / by
    return round(packages * scaled(String(price['unit_amount_decimal'])))
  }
  let below = 0n
  let sum = 0n
  for (const tier of tiers) {
    const upTo = tier.up_to === null ? quantity : BigInt(tier.up_to)
    const unit = scaled(tier.unit_amount_decimal)
    // Volume: the tier that the whole quantity reaches prices all of it. Graduated: each tier prices its own part.
    if (price['tiers_mode'] === 'volume' && quantity <= upTo) return round(quantity * unit)
    const part = (quantity < upTo ? quantity : upTo) - below
    if (part > 0n) sum += part * unit
    below = upTo
  }
  return round(sum)
}

interface ShownTier {
  readonly up_to: number | null
  readonly unit_amount: number | null
  readonly unit_amount_decimal: string
}

/** Shown with `up_to` null for the last one (https://docs.stripe.com/api/prices/object#price_object-tiers). */
function shownTier(tier: Params): ShownTier {
  const decimal = textOf(tier, 'unit_amount_decimal') ?? textOf(tier, 'unit_amount') ?? '0'
  return {
    up_to: textOf(tier, 'up_to') === 'inf' ? null : (wholeOf(tier, 'up_to') ?? 0),
    unit_amount: /^\d+$/u.test(decimal) ? Number(decimal) : null,
    unit_amount_decimal: decimal,
  }
}
