import { assertNever, parseAmount } from '../../kernel/index.ts'
import type { Phase, Stretch } from '../charge-units.ts'
import type { PlanTerms, UsagePrice } from '../prices.ts'
import { fine, fineOfPicos, wholeFine, type Fine } from './fine.ts'

/** Units that have one price. */
export interface Segment {
  /** Which of the price's amounts holds: `included`, `list`, `package`, or `step-<n>` from one. */
  readonly step: string
  readonly units: bigint
  /** In how many units the price is told: "per 1,000,000". */
  readonly per: bigint
  /** Of `per` units each; of packages, whole ones that were begun in it. */
  readonly quantity: Fine
  /** What the plan says for the step, in the term of a license. */
  readonly listPrice: Fine
  /** What holds under the conditions of the use: an evaluation and the days of grace may have another amount. */
  readonly contractedPrice: Fine
}

/**
 * Cuts a stretch of a month's units where their price changes: at the end of what is included, and at each step. The sum of
 * the pieces' prices is what `chargeUnits` makes of the stretch. Price times quantity comes out even in each.
 */
export function cutStretch(
  price: UsagePrice,
  { before, quantity, total }: Stretch,
  of: { phase: Phase; terms: PlanTerms },
): readonly Segment[] {
  const included = BigInt(price.included ?? 0)
  const paidOf = (units: bigint) => (units > included ? units - included : 0n)
  const [from, to] = [paidOf(before), paidOf(before + quantity)]
  const free = quantity - (to - from)
  const under = conditionsOf(price, of)
  return [
    ...(free === 0n
      ? []
      : [{ step: 'included', units: free, ...priced(price, free), listPrice: fine(0n), contractedPrice: fine(0n) }]),
    ...(to === from
      ? []
      : under.kind === 'plain'
        ? [
            {
              step: 'list',
              units: to - from,
              ...priced(price, to - from),
              listPrice: amountFine(price, price.amount),
              contractedPrice: amountFine(price, under.amount),
            },
          ]
        : paidPieces(price, { from, to, last: paidOf(total) }).map(({ amount, ...piece }) => ({
            ...piece,
            listPrice: amount,
            contractedPrice: percentOf(amount, under.percent),
          }))),
  ]
}

type Conditions = { kind: 'plain'; amount: string } | { kind: 'listed'; percent: bigint }

function conditionsOf(price: UsagePrice, { phase, terms }: { phase: Phase; terms: PlanTerms }): Conditions {
  switch (phase) {
    case 'term':
      return { kind: 'listed', percent: 100n }
    case 'evaluation':
      if (price.evaluation !== undefined) return { kind: 'plain', amount: price.evaluation }
      return { kind: 'listed', percent: terms.evaluation === 'free' ? 0n : 100n }
    case 'grace':
      if (price.grace !== undefined) return { kind: 'plain', amount: price.grace }
      return { kind: 'listed', percent: BigInt(terms.grace?.percent ?? 100) }
    default:
      return assertNever(phase, 'conditionsOf')
  }
}

interface PaidPiece extends Pick<Segment, 'step' | 'units' | 'per' | 'quantity'> {
  readonly amount: Fine
}

/** The paid units from one up to another, counted from the first paid one of the month. */
function paidPieces(
  price: UsagePrice,
  { from, to, last }: { from: bigint; to: bigint; last: bigint },
): readonly PaidPiece[] {
  const per = BigInt(price.per)
  if (price.package === true) {
    const begun = (units: bigint) => (units + per - 1n) / per
    const quantity = wholeFine(begun(to) - begun(from))
    return [{ step: 'package', units: to - from, per, quantity, amount: fineOfAmount(price.amount) }]
  }
  const steps = [
    { from: 1n, amount: price.amount },
    ...(price.steps ?? []).map((one) => ({ ...one, from: BigInt(one.from) })),
  ]
  const piece = (at: number, units: bigint): PaidPiece => ({
    step: price.tiers === undefined ? 'list' : `step-${at + 1}`,
    units,
    ...priced(price, units),
    amount: amountFine(price, steps[at]?.amount ?? price.amount),
  })
  if (price.tiers === 'volume')
    return [
      piece(
        steps.findLastIndex((step) => step.from <= last),
        to - from,
      ),
    ]
  return steps.flatMap((step, at) => {
    const end = (steps[at + 1]?.from ?? to + 1n) - 1n
    const [begin, until] = [from > step.from - 1n ? from : step.from - 1n, to < end ? to : end]
    return until > begin ? [piece(at, until - begin)] : []
  })
}

/**
 * A price is told per so many units as its plan tells it, where a quantity then is a decimal of at most fourteen places;
 * else per unit.
 */
const isTold = (per: bigint): boolean => wholeFine(1n) % per === 0n

function priced({ per }: UsagePrice, units: bigint): Pick<Segment, 'per' | 'quantity'> {
  const told = BigInt(per)
  return isTold(told) ? { per: told, quantity: fine(wholeFine(units) / told) } : { per: 1n, quantity: wholeFine(units) }
}

/** An amount of the plan, of as many units as its price is told in. */
const amountFine = ({ per }: UsagePrice, amount: string): Fine =>
  isTold(BigInt(per)) ? fineOfAmount(amount) : fine(fineOfAmount(amount) / BigInt(per))

const fineOfAmount = (amount: string): Fine => fineOfPicos(parseAmount(amount) ?? 0n)

/** Whole: an amount has twelve places, and a percentage adds two. */
const percentOf = (amount: Fine, percent: bigint): Fine => fine((amount * percent) / 100n)
