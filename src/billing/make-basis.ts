import { assert, err, ok, parseAmount, picos, type Instant, type Result } from '../kernel/index.ts'
import { revisionAt, type LicenseFacts } from '../licensing/index.ts'
import type { Basis, LateUse } from './basis.ts'
import { countDays, type FacilitySpan } from './count-days.ts'
import { smallestUnit } from './currency.ts'
import { daysIn, type Period } from './month.ts'
import { planRevisionAt, type PlanRevision, type PriceBook } from './prices.ts'
import type { PlanDays, UsageQuantity } from './rate-period.ts'
import { exactly, roundHalfEven } from './round.ts'
import type { StandingClosing } from './store-period.ts'
import type { RevisionConditions } from './sum-usage.ts'

/** What is known of a month when it is rated. */
export interface BasisFacts {
  readonly license: LicenseFacts
  readonly facilities: readonly FacilitySpan[]
  readonly book: PriceBook
  readonly standing: readonly StandingClosing[]
  readonly frozen: { readonly usage: readonly UsageQuantity[]; readonly late: readonly LateUse[] }
}

export const conditionsOf = ({ revisions }: LicenseFacts): readonly RevisionConditions[] =>
  revisions.map(({ revision, termEnd, evaluation }) => ({ revision, termEnd, evaluation }))

/** All that a month's invoice is made from. An invoice has one currency; a month that was priced in two has none. */
export function makeBasis(
  facts: BasisFacts,
  { period, knownAt }: { period: Period; knownAt: Instant },
): Result<Basis, { currencies: readonly string[] }> {
  const { license, book, frozen } = facts
  const days = countDays(facts, { period, knownAt })
  const currencies = currenciesOf(frozen, days.termDays, book)
  if (currencies.length > 1) return err({ currencies })
  const currency = currencies[0] ?? planOf(facts, period)?.currency
  assert(currency !== undefined, 'a license names a plan that the price book has')
  return ok({
    use: { currency, daysInPeriod: daysIn(period), usage: frozen.usage, ...days },
    conditions: conditionsOf(license),
    late: frozen.late,
    credit: creditOf(facts, period, currency),
  })
}

/** The currencies of all plans that a month was used or held under. */
function currenciesOf(
  { usage, late }: BasisFacts['frozen'],
  days: readonly PlanDays[],
  book: PriceBook,
): readonly string[] {
  const used = [...usage, ...late.flatMap((month) => month.usage), ...days]
  const found = used.map(({ plan, planRevision }) => book.get(plan)?.[planRevision - 1]?.currency)
  return [...new Set(found.filter((currency) => currency !== undefined))].toSorted()
}

/** The plan of a month in which nothing was used or held, such as one after the term. */
function planOf({ license, book }: BasisFacts, { end }: Period): PlanRevision | undefined {
  const { plan = '' } = revisionAt(license, end) ?? license.revisions[0] ?? {}
  return planRevisionAt(book, plan, end) ?? book.get(plan)?.[0]
}

/** What credit there is: what the last closing left, and what the plan sells with the first month of a term. */
function creditOf({ license, standing, book }: BasisFacts, period: Period, currency: string): Basis['credit'] {
  const before = standing.filter((one) => one.period.start < period.start)
  const last = before.at(-1)
  const balance = last === undefined ? picos(0n) : last.creditLeft
  const revision = license.revisions.findLast(({ effectiveAt }) => effectiveAt < period.end)
  const isInTerm = revision !== undefined && revision.termStart < period.end && revision.termEnd > period.start
  const plan = isInTerm ? planRevisionAt(book, revision.plan, period.end) : undefined
  const sold = parseAmount(plan?.terms.credit ?? '0') ?? 0n
  const isBought = before.some(({ basis }) => basis.credit.boughtFor === revision?.termStart)
  if (sold === 0n || isBought || revision === undefined) return { balance, bought: picos(0n), boughtFor: undefined }
  return {
    balance,
    bought: picos(roundHalfEven(exactly(sold), smallestUnit(currency))),
    boughtFor: revision.termStart,
  }
}
