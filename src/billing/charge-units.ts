import { assertNever, parseAmount } from '../kernel/index.ts'
import type { PlanTerms, UsagePrice } from './prices.ts'
import { exactly, type Exact } from './round.ts'

/** Under which of a license's conditions something was used: in its term, in the days of grace, or as an evaluation. */
export const phases = ['evaluation', 'term', 'grace'] as const
export type Phase = (typeof phases)[number]

/** A stretch of the units of a period: those after `before`, up to `before + quantity`. */
export interface Stretch {
  readonly before: bigint
  readonly quantity: bigint
  /** All units of the period, those after this stretch as well. */
  readonly total: bigint
}

/**
 * What a stretch of a period's units costs, in picos. The units of one meter of one model are counted through the whole
 * period, whichever price holds for which of them, so that a new plan revision in the middle of a month neither gives an
 * allowance twice nor begins the steps anew.
 */
export function chargeUnits(price: UsagePrice, stretch: Stretch, of: { phase: Phase; terms: PlanTerms }): Exact {
  const { phase, terms } = of
  switch (phase) {
    case 'term':
      return exactly(asListed(price, stretch))
    case 'evaluation':
      if (price.evaluation !== undefined) return exactly(plainly(price, price.evaluation, stretch))
      return exactly(terms.evaluation === 'free' ? 0n : asListed(price, stretch))
    case 'grace':
      if (price.grace !== undefined) return exactly(plainly(price, price.grace, stretch))
      return terms.grace === undefined
        ? exactly(asListed(price, stretch))
        : exactly(asListed(price, stretch) * BigInt(terms.grace.percent), 100n)
    default:
      return assertNever(phase, 'chargeUnits')
  }
}

function asListed(price: UsagePrice, { before, quantity, total }: Stretch): bigint {
  const [from, to] = [paidOf(price, before), paidOf(price, before + quantity)]
  if (price.tiers === 'volume') return (to - from) * unitPrice(price, amountAt(price, paidOf(price, total)))
  return upTo(price, to) - upTo(price, from)
}

/** The units up to one that are not included. */
const paidOf = ({ included = 0 }: UsagePrice, units: bigint): bigint =>
  units > BigInt(included) ? units - BigInt(included) : 0n

/** What the first so many paid units cost. */
function upTo(price: UsagePrice, units: bigint): bigint {
  const per = BigInt(price.per)
  if (price.package === true) return ((units + per - 1n) / per) * amountOf(price.amount)
  let [charge, begin, amount] = [0n, 0n, price.amount]
  for (const step of price.steps ?? []) {
    const end = BigInt(step.from) - 1n
    if (units <= end) break
    charge += (end - begin) * unitPrice(price, amount)
    begin = end
    amount = step.amount
  }
  return charge + (units - begin) * unitPrice(price, amount)
}

/** The amount that holds for the last of so many units. */
const amountAt = (price: UsagePrice, units: bigint): string =>
  price.steps?.findLast(({ from }) => BigInt(from) <= units)?.amount ?? price.amount

/** An amount of its own knows no steps and no packages; what is included stays so. */
const plainly = (price: UsagePrice, amount: string, { before, quantity }: Stretch): bigint =>
  (paidOf(price, before + quantity) - paidOf(price, before)) * unitPrice(price, amount)

const unitPrice = ({ per }: UsagePrice, amount: string): bigint => amountOf(amount) / BigInt(per)
const amountOf = (text: string): bigint => parseAmount(text) ?? 0n
