import Fraction from 'fraction.js'
import type { FacilityDays, PeriodUse, PlanDays, UsageQuantity } from '../../src/billing/rate-period.ts'
import type { PlanRevision, UsagePrice } from '../../src/billing/prices.ts'

/**
 * What a period costs, worked out a second time in fractions of `fraction.js`, unit of money the currency's own and not
 * picos, interval by interval instead of by differences of sums. It shares no arithmetic with `src/billing`; only the
 * shapes of what goes in. Keys and amounts come out as text.
 */
export interface OracleLine {
  readonly key: string
  readonly amount: string
  /** Facility → amount. */
  readonly shares: Readonly<Record<string, string>>
}

const zero = new Fraction(0)
const places: Readonly<Record<string, number>> = { USD: 2, JPY: 0, KWD: 3, CLF: 4, EUR: 2 }

export function oracleOf(use: PeriodUse, plans: readonly PlanRevision[]): readonly OracleLine[] {
  const lines: { key: string; rounded: Fraction; shares: Record<string, string> }[] = []
  const decimals = places[use.currency] ?? 2
  const add = (key: string, due: Fraction, weights: Readonly<Record<string, bigint>>) => {
    const rounded = bankers(due, decimals)
    lines.push({ key, rounded, shares: hareNiemeyer(rounded, weights, decimals) })
  }
  for (const model of distinct(use.usage.map((one) => one.model)))
    for (const meter of ['input_tokens', 'output_tokens', 'requests', 'inferences'] as const) {
      const groups = new Map<string, UsageQuantity[]>()
      const ofModel = use.usage.filter((one) => one.model === model).toSorted(earlier)
      for (const one of ofModel) {
        const name = `${one.licenseRevision}/${one.plan}/${one.planRevision}/${one.phase}`
        groups.set(name, [...(groups.get(name) ?? []), one])
      }
      const all = ofModel.reduce((sum, one) => sum + one.units[meter], 0n)
      let at = 0n
      for (const [name, some] of groups) {
        const begin = at
        const weights = weightsOf(some.map((one) => [one.facility, one.units[meter]]))
        const here = Object.values(weights).reduce((sum, weight) => sum + weight, 0n)
        if (here === 0n) continue
        at += here
        const plan = planOf(plans, some[0])
        const named = plan.prices.find((price) => price.meter === meter && 'model' in price && price.model === model)
        const price = named ?? plan.prices.find((other) => other.meter === meter && !('model' in other && other.model))
        if (price === undefined || price.per === 'month') continue
        add(`usage/${model}/${meter}/${name}`, cost(price, plan, some[0]?.phase, { begin, end: at, all }), weights)
      }
    }
  for (const [name, some] of grouped(use.facilityDays)) {
    const price = planOf(plans, some[0]).prices.find((one) => one.per === 'month')
    const weights = weightsOf(some.map((one) => [one.facility, BigInt(one.days)]))
    const days = some.reduce((sum, one) => sum + one.days, 0)
    if (price !== undefined && days > 0)
      add(`facility/${name}`, new Fraction(price.amount).mul(days).div(use.daysInPeriod), weights)
  }
  const charged = lines.reduce((sum, line) => sum.add(line.rounded), zero)
  const least = use.termDays.reduce((sum, one) => {
    const { commitment } = planOf(plans, one).terms
    return sum.add(new Fraction(commitment ?? 0).mul(one.days).div(use.daysInPeriod))
  }, zero)
  if (least.compare(charged) > 0) add('commitment', least.sub(charged), {})
  return lines.map(({ key, rounded, shares }) => ({ key, amount: rounded.toString(), shares }))
}

/** Unit by unit would take for ever: interval by interval, each unit of an interval at one rate. */
function cost(
  price: UsagePrice,
  plan: PlanRevision,
  phase: string | undefined,
  { begin, end, all }: { begin: bigint; end: bigint; all: bigint },
): Fraction {
  const free = BigInt(price.included ?? 0)
  const own = phase === 'evaluation' ? price.evaluation : phase === 'grace' ? price.grace : undefined
  const from = max(begin, free)
  if (end <= from) return zero
  const perUnit = (amount: string) => new Fraction(amount).div(price.per)
  if (own !== undefined) return perUnit(own).mul(end - from)
  if (phase === 'evaluation' && plan.terms.evaluation === 'free') return zero
  const factor =
    phase === 'grace' && plan.terms.grace !== undefined ? new Fraction(plan.terms.grace.percent, 100) : new Fraction(1)
  if (price.package === true) {
    // The packages that a unit of this stretch is the first of.
    const opened = new Fraction(end - free).div(price.per).ceil()
    const openBefore = new Fraction(from - free).div(price.per).ceil()
    return opened.sub(openBefore).mul(price.amount).mul(factor)
  }
  const bands = [{ from: 1, amount: price.amount }, ...(price.steps ?? [])]
  if (price.tiers === 'volume') {
    const paid = all - free
    const band = bands.filter((one) => BigInt(one.from) <= paid).at(-1) ?? bands[0]
    return perUnit(band?.amount ?? '0')
      .mul(end - from)
      .mul(factor)
  }
  let sum = zero
  for (const [index, band] of bands.entries()) {
    const next = bands[index + 1]
    const low = max(from - free, BigInt(band.from) - 1n)
    const high = next === undefined ? end - free : min(end - free, BigInt(next.from) - 1n)
    if (high > low) sum = sum.add(perUnit(band.amount).mul(high - low))
  }
  return sum.mul(factor)
}

/** Half to even, by looking at what is left over. */
function bankers(value: Fraction, decimals: number): Fraction {
  const scaled = value.mul(10 ** decimals)
  const down = scaled.floor()
  const rest = scaled.sub(down).compare(new Fraction(1, 2))
  const isOdd = !down.mod(2).equals(0)
  const whole = rest > 0 || (rest === 0 && isOdd) ? down.add(1) : down
  return whole.div(10 ** decimals)
}

/** Largest remainder, handing out one smallest unit at a time. */
function hareNiemeyer(
  amount: Fraction,
  weights: Readonly<Record<string, bigint>>,
  decimals: number,
): Record<string, string> {
  const names = Object.keys(weights)
    .filter((name) => weights[name] !== 0n)
    .toSorted()
  const total = names.reduce((sum, name) => sum.add(weights[name] ?? 0n), zero)
  const units = amount.mul(10 ** decimals)
  const parts = names.map((name) => {
    const ideal = units.mul(weights[name] ?? 0n).div(total)
    return { name, given: ideal.floor(), rest: ideal.sub(ideal.floor()) }
  })
  let left = parts.reduce((rest, part) => rest.sub(part.given), units)
  for (const part of parts.toSorted((a, b) => b.rest.compare(a.rest))) {
    if (left.compare(0) <= 0) break
    part.given = part.given.add(1)
    left = left.sub(1)
  }
  return Object.fromEntries(parts.map(({ name, given }) => [name, given.div(10 ** decimals).toString()]))
}

const order = ['evaluation', 'term', 'grace']
const earlier = (a: UsageQuantity, b: UsageQuantity): number =>
  a.licenseRevision - b.licenseRevision ||
  (a.plan < b.plan ? -1 : a.plan > b.plan ? 1 : 0) ||
  a.planRevision - b.planRevision ||
  order.indexOf(a.phase) - order.indexOf(b.phase)

const weightsOf = (pairs: readonly (readonly [string, bigint])[]): Record<string, bigint> => {
  const weights: Record<string, bigint> = {}
  for (const [name, weight] of pairs) weights[name] = (weights[name] ?? 0n) + weight
  return weights
}

const grouped = (days: readonly FacilityDays[]): readonly (readonly [string, FacilityDays[]])[] => {
  const groups = new Map<string, FacilityDays[]>()
  for (const one of days.toSorted((a, b) =>
    a.plan < b.plan ? -1 : a.plan > b.plan ? 1 : a.planRevision - b.planRevision,
  )) {
    const name = `${one.plan}/${one.planRevision}`
    groups.set(name, [...(groups.get(name) ?? []), one])
  }
  return [...groups]
}

function planOf(plans: readonly PlanRevision[], of: Pick<PlanDays, 'plan' | 'planRevision'> | undefined): PlanRevision {
  const found = plans.find(({ plan, revision }) => plan === of?.plan && revision === of.planRevision)
  if (found === undefined) throw new Error('a case without its plan')
  return found
}

const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted()
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
