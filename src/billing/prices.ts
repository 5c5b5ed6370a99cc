import { z } from 'zod'
import { parseAmount, picos, type Instant, type Picos } from '../kernel/index.ts'

/** What can carry a price on a call. */
export const usageMeters = ['input_tokens', 'output_tokens', 'requests', 'inferences'] as const
export const UsageMeter = z.enum(usageMeters)
export type UsageMeter = z.infer<typeof UsageMeter>

const Amount = z.string().refine((text) => parseAmount(text) !== undefined, 'an amount in quotes, such as "3.00"')

/** A price per unit of use. Without a model it holds for every model that has no price of its own for that meter. */
export const UsagePrice = z
  .strictObject({
    model: z.string().min(1).optional(),
    meter: UsageMeter,
    per: z.int().min(1).max(1_000_000_000),
    amount: Amount,
  })
  .refine((price) => (parseAmount(price.amount) ?? 0n) % BigInt(price.per) === 0n, {
    path: ['amount'],
    error: 'amount ÷ per must come out even at twelve decimals, so that a charge is exact',
  })
/** A flat price per facility and month; it is not charged by a call. */
export const FacilityPrice = z.strictObject({ meter: z.literal('facility'), per: z.literal('month'), amount: Amount })
export const Price = z.union([UsagePrice, FacilityPrice])
export type Price = z.infer<typeof Price>
export const Prices = z.array(Price).max(1000)

/** Picos per unit of one meter of one model; zero where the plan has no price for it. */
export type UnitPrices = Readonly<Record<UsageMeter, Picos>>

/** A plan revision as the price book has it. */
export interface PlanRevision {
  readonly plan: string
  readonly revision: number
  readonly currency: string
  readonly prices: readonly Price[]
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

function workOut(prices: readonly Price[], model: string): UnitPrices {
  const unit = (meter: UsageMeter): Picos => {
    const named = prices.find((price) => price.meter === meter && 'model' in price && price.model === model)
    const price =
      named ?? prices.find((other) => other.meter === meter && !('model' in other && other.model !== undefined))
    if (price === undefined || typeof price.per !== 'number') return picos(0n)
    return picos((parseAmount(price.amount) ?? 0n) / BigInt(price.per))
  }
  return {
    input_tokens: unit('input_tokens'),
    output_tokens: unit('output_tokens'),
    requests: unit('requests'),
    inferences: unit('inferences'),
  }
}
