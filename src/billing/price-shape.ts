import { z } from 'zod'
import { assertNever, parseAmount } from '../kernel/index.ts'
import { smallestUnit } from './currency.ts'
import type { InvoiceDifference } from './invoice-difference.ts'
import type { FacilityPrice, UsagePrice } from './prices.ts'

/** Smallest units of the currency, with up to twelve decimals, as Stripe's prices have them. */
const Amount = z.string().regex(/^\d{1,15}(\.\d{1,12})?$/)

/** A price in the forms that Stripe knows. `upTo` null: and all above. */
export const PriceShape = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('per_unit'), amount: Amount }),
  z.strictObject({ kind: z.literal('package'), per: z.int().min(1), amount: Amount }),
  z.strictObject({
    kind: z.literal('tiered'),
    mode: z.enum(['graduated', 'volume']),
    tiers: z.array(z.strictObject({ upTo: z.int().nullable(), amount: Amount })).min(1),
  }),
])
export type PriceShape = z.infer<typeof PriceShape>

const decimals = 12
const scale = 10n ** BigInt(decimals)

/**
 * A price of a plan as one of Stripe's; undefined where Stripe has none like it: an allowance before packages, or before
 * steps that price all units alike.
 */
export function shapeOf(price: UsagePrice | FacilityPrice, currency: string): PriceShape | undefined {
  if (price.meter === 'facility') return { kind: 'per_unit', amount: unitAmount(price.amount, 1, currency) }
  const { amount, per, included = 0, tiers, steps = [] } = price
  if (price.package === true)
    return included > 0 ? undefined : { kind: 'package', per, amount: unitAmount(amount, 1, currency) }
  if (tiers === 'volume' && included > 0) return undefined
  if (included === 0 && steps.length === 0) return { kind: 'per_unit', amount: unitAmount(amount, per, currency) }
  const amounts = [amount, ...steps.map((step) => step.amount)]
  return {
    kind: 'tiered',
    mode: tiers ?? 'graduated',
    tiers: [
      ...(included > 0 ? [{ upTo: included, amount: '0' }] : []),
      ...amounts.map((one, at) => {
        const next = steps[at]
        return { upTo: next === undefined ? null : included + next.from - 1, amount: unitAmount(one, per, currency) }
      }),
    ],
  }
}

/** Twelve decimals of the currency are ten or fewer of its smallest unit where that has two. */
const unitAmount = (amount: string, per: number, currency: string): string =>
  decimalOf((((parseAmount(amount) ?? 0n) / BigInt(per)) * scale) / smallestUnit(currency))

/** 0.0003 for 300000000n: twelve decimals, without the zeros at the end. */
function decimalOf(scaled: bigint): string {
  const sign = scaled < 0n ? '-' : ''
  const digits = (scaled < 0n ? 0n - scaled : scaled).toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  return `${sign}${digits.slice(0, -decimals)}${fraction === '' ? '' : `.${fraction}`}`
}

const scaledOf = (amount: string): bigint => {
  const [whole = '0', fraction = ''] = amount.split('.')
  return BigInt(whole) * scale + BigInt(fraction.padEnd(decimals, '0'))
}

/** What Stripe charges for a quantity of a period, before it rounds: smallest units, times 10^12. */
export function priceAt(shape: PriceShape, quantity: bigint): bigint {
  switch (shape.kind) {
    case 'per_unit':
      return quantity * scaledOf(shape.amount)
    case 'package': {
      const per = BigInt(shape.per)
      return ((quantity + per - 1n) / per) * scaledOf(shape.amount)
    }
    case 'tiered':
      return shape.mode === 'volume' ? atVolume(shape.tiers, quantity) : atSteps(shape.tiers, quantity)
    default:
      return assertNever(shape, 'priceAt')
  }
}

type Tiers = Extract<PriceShape, { kind: 'tiered' }>['tiers']

const atVolume = (tiers: Tiers, quantity: bigint): bigint =>
  quantity * scaledOf(tiers.find(({ upTo }) => upTo === null || quantity <= BigInt(upTo))?.amount ?? '0')

function atSteps(tiers: Tiers, quantity: bigint): bigint {
  let [sum, below] = [0n, 0n]
  for (const { upTo, amount } of tiers) {
    const end = upTo === null || BigInt(upTo) > quantity ? quantity : BigInt(upTo)
    if (end > below) sum += (end - below) * scaledOf(amount)
    below = end
  }
  return sum
}

/** A line that a price of the catalog charges, with its whole quantity of the period. */
export interface PricedLine {
  readonly line: string
  readonly lookupKey: string
  readonly quantity: bigint
  /** Before rounding, in picos. */
  readonly exactPicos: bigint
  readonly amountMinor: bigint
}

/**
 * Where the service's own price makes something else of a line's quantity than our rating: another amount (`rate_differs`), or
 * the same one rounded otherwise (`rounding`: we round half to even, Stripe half up).
 */
export function comparePrice(
  { line, quantity, exactPicos, amountMinor }: PricedLine,
  shape: PriceShape,
  currency: string,
): readonly InvoiceDifference[] {
  const here = (exactPicos * scale) / smallestUnit(currency)
  const there = priceAt(shape, quantity)
  if (here !== there) return [{ line, class: 'rate_differs', here: decimalOf(here), there: decimalOf(there) }]
  const rounded = (there * 2n + scale) / (scale * 2n)
  return rounded === amountMinor ? [] : [{ line, class: 'rounding', here: String(amountMinor), there: String(rounded) }]
}
