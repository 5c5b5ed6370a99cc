import { z } from 'zod'
import { parseAmount, picos, type Instant, type Picos } from '../kernel/index.ts'

/** What can carry a price on a call. */
export const usageMeters = ['input_tokens', 'output_tokens', 'requests', 'inferences'] as const
export const UsageMeter = z.enum(usageMeters)
export type UsageMeter = z.infer<typeof UsageMeter>

const Amount = z.string().refine((text) => parseAmount(text) !== undefined, 'an amount in quotes, such as "3.00"')

/** From this unit of the period on, counted from one, the amount is another. */
const Step = z.strictObject({ from: z.int().min(2).max(1_000_000_000_000), amount: Amount })

const unevenly = 'amount ÷ per must come out even at twelve decimals, so that a charge is exact'
const isEven = (amount: string | undefined, per: number): boolean =>
  (parseAmount(amount ?? '0') ?? 0n) % BigInt(per) === 0n

/**
 * A price per unit of use. Without a model it holds for every model that has no price of its own for that meter. `amount`
 * is what a call is charged with; what a period makes of it (whole packages, steps, an allowance, the price of an
 * evaluation or of grace) is worked out when the period is rated, over each model's use by all facilities.
 */
export const UsagePrice = z
  .strictObject({
    model: z.string().min(1).optional(),
    meter: UsageMeter,
    per: z.int().min(1).max(1_000_000_000),
    amount: Amount,
    /** Units of a period that cost nothing; the others are counted after them. */
    included: z.int().min(1).max(1_000_000_000_000).optional(),
    /** Whole packages of `per` units, the last one begun and paid whole. */
    package: z.literal(true).optional(),
    /** graduated: each unit at its step's amount. volume: all of them at the amount of the step that the last one is in. */
    tiers: z.enum(['graduated', 'volume']).optional(),
    steps: z.array(Step).min(1).max(100).optional(),
    /** Amounts of their own, plain ones, for the use under an evaluation license and in the days of grace. */
    evaluation: Amount.optional(),
    grace: Amount.optional(),
  })
  .refine((price) => isEven(price.amount, price.per), { path: ['amount'], error: unevenly })
  .refine((price) => isEven(price.evaluation, price.per), { path: ['evaluation'], error: unevenly })
  .refine((price) => isEven(price.grace, price.per), { path: ['grace'], error: unevenly })
  .refine((price) => price.steps?.every(({ amount }) => isEven(amount, price.per)) !== false, {
    path: ['steps'],
    error: unevenly,
  })
  .refine((price) => (price.tiers === undefined) === (price.steps === undefined), {
    path: ['tiers'],
    error: 'tiers and steps together, or neither',
  })
  .refine((price) => price.package === undefined || price.tiers === undefined, {
    path: ['package'],
    error: 'package without tiers, or tiers without package',
  })
  .refine(
    (price) => price.steps?.every(({ from }, at, steps) => at === 0 || from > (steps[at - 1]?.from ?? 0)) !== false,
    {
      path: ['steps'],
      error: 'the steps in rising order of from',
    },
  )
export type UsagePrice = z.infer<typeof UsagePrice>
/** A flat price per facility and month; it is not charged by a call. Of a part of a month so many days are charged. */
export const FacilityPrice = z.strictObject({ meter: z.literal('facility'), per: z.literal('month'), amount: Amount })
export type FacilityPrice = z.infer<typeof FacilityPrice>
export const Price = z.union([UsagePrice, FacilityPrice])
export type Price = z.infer<typeof Price>
export const Prices = z.array(Price).max(1000)

/** What a plan says of a period as a whole, beside its prices. Amounts are in its currency. */
export const PlanTerms = z.strictObject({
  /** What a whole month costs at least; the difference is a line of its own. */
  commitment: Amount.optional(),
  /** Bought with the first period of a term, and used up by whatever is charged before money is asked for. */
  credit: Amount.optional(),
  /** An evaluation costs nothing, but where a price has an amount of its own for it. Absent: it costs as listed. */
  evaluation: z.literal('free').optional(),
  /** Percent of the listed price in the days of grace, but where a price has an amount of its own. Absent: as listed. */
  grace: z.strictObject({ percent: z.int().min(0).max(1000) }).optional(),
})
export type PlanTerms = z.infer<typeof PlanTerms>

/** Picos per unit of one meter of one model; zero where the plan has no price for it. */
export type UnitPrices = Readonly<Record<UsageMeter, Picos>>

/** A plan revision as the price book has it. */
export interface PlanRevision {
  readonly plan: string
  readonly revision: number
  readonly currency: string
  readonly prices: readonly Price[]
  readonly terms: PlanTerms
  readonly effectiveAt: Instant
}

/** All revisions of all plans, each plan's in the order of their numbers. */
export type PriceBook = ReadonlyMap<string, readonly PlanRevision[]>

/** The revision of a plan that holds at an instant. */
export const planRevisionAt = (book: PriceBook, plan: string, at: Instant): PlanRevision | undefined =>
  book.get(plan)?.findLast((revision) => revision.effectiveAt <= at)

/** A revision never changes, so that its unit prices are worked out once per model. */
const worked = new WeakMap<PlanRevision, Map<string, UnitPrices>>()

/** The unit prices that a plan revision has for a model. A price that names the model goes before one that does not. */
export function unitPricesFor(revision: PlanRevision, model: string): UnitPrices {
  let byModel = worked.get(revision)
  if (byModel === undefined) worked.set(revision, (byModel = new Map()))
  let prices = byModel.get(model)
  if (prices === undefined) byModel.set(model, (prices = workOut(revision.prices, model)))
  return prices
}

/** The price of one meter of one model: the one that names the model, before the one that names none. */
export function findUsagePrice(
  prices: readonly Price[],
  of: { readonly model: string; readonly meter: UsageMeter },
): UsagePrice | undefined {
  const ofMeter = prices.filter((price): price is UsagePrice => price.meter === of.meter)
  return ofMeter.find(({ model }) => model === of.model) ?? ofMeter.find(({ model }) => model === undefined)
}

function workOut(prices: readonly Price[], model: string): UnitPrices {
  const unit = (meter: UsageMeter): Picos => {
    const price = findUsagePrice(prices, { model, meter })
    return price === undefined ? picos(0n) : picos((parseAmount(price.amount) ?? 0n) / BigInt(price.per))
  }
  return {
    input_tokens: unit('input_tokens'),
    output_tokens: unit('output_tokens'),
    requests: unit('requests'),
    inferences: unit('inferences'),
  }
}
