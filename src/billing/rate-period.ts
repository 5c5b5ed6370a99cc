import { assert, parseAmount, type Picos, picos } from '../kernel/index.ts'
import { chargeUnits, phases, type Phase } from './charge-units.ts'
import { smallestUnit } from './currency.ts'
import { findUsagePrice, usageMeters, type PlanRevision, type UsageMeter } from './prices.ts'
import { addExact, allocate, exactly, roundHalfEven, type Exact } from './round.ts'

/** Whole units by meter. */
export type Units = Readonly<Record<UsageMeter, bigint>>

/** What one facility used of one model under one license revision, one plan revision and one phase. */
export interface UsageQuantity {
  readonly licenseRevision: number
  readonly plan: string
  readonly planRevision: number
  readonly phase: Phase
  readonly facility: string
  readonly model: string
  readonly units: Units
  /** What the ledger charged its calls with, each at the plan's unit price. */
  readonly listed: Picos
}

/** Days of a period on which a plan revision held: for the license, or for one facility of it. */
export interface PlanDays {
  readonly plan: string
  readonly planRevision: number
  readonly days: number
}
export interface FacilityDays extends PlanDays {
  readonly facility: string
}

/** All that a period's price depends on; rating it again gives the same lines. */
export interface PeriodUse {
  readonly currency: string
  readonly daysInPeriod: number
  readonly usage: readonly UsageQuantity[]
  readonly termDays: readonly PlanDays[]
  readonly facilityDays: readonly FacilityDays[]
}

/** The part of a line that is one facility's. */
export interface Share {
  readonly facility: string
  readonly quantity: bigint
  readonly amount: Picos
}

export type RatedKind = 'usage' | 'facility' | 'commitment'

/** What is charged for, before it has a place on an invoice. */
export interface RatedLine {
  readonly kind: RatedKind
  /** One line for one of them in a period. */
  readonly key: string
  readonly plan: string
  readonly planRevision: number
  readonly licenseRevision: number | undefined
  readonly phase: Phase | undefined
  readonly model: string | undefined
  readonly meter: UsageMeter | undefined
  /** Units, or facility days; of a commitment, none. */
  readonly quantity: bigint
  /** Before rounding, in picos; a half pico to the even one. */
  readonly exact: Picos
  /** A whole multiple of the currency's smallest unit. */
  readonly amount: Picos
  /** Their amounts add up to the line's; none where a line is no facility's. */
  readonly shares: readonly Share[]
}

/** Plans by name and revision. */
export type PlansUsed = readonly PlanRevision[]

/**
 * What a period costs: one line per model, meter, plan and license revision and phase; one per plan revision for the
 * facilities; and one for what a commitment leaves to be paid. Each is rounded once, half to even, to the currency's
 * smallest unit, and split among facilities by largest remainder. In the order of the lines' keys.
 */
export function ratePeriod(use: PeriodUse, plans: PlansUsed): readonly RatedLine[] {
  const lines = [...usageLines(use, plans), ...facilityLines(use, plans)]
  return [...lines, ...commitmentLines(use, plans, lines)]
}

const planOf = (plans: PlansUsed, { plan, planRevision }: { plan: string; planRevision: number }): PlanRevision => {
  const found = plans.find((candidate) => candidate.plan === plan && candidate.revision === planRevision)
  assert(found !== undefined, `a period was used under ${plan} revision ${planRevision}, which is not among the plans`)
  return found
}

function usageLines(use: PeriodUse, plans: PlansUsed): readonly RatedLine[] {
  return [...Map.groupBy(use.usage, ({ model }) => model)]
    .toSorted(([a], [b]) => byText(a, b))
    .flatMap(([model, ofModel]) => usageMeters.flatMap((meter) => meterLines(use, plans, { model, meter, ofModel })))
}

/** The lines of one meter of one model, its units counted from the first one of the period on. */
function meterLines(
  { currency }: PeriodUse,
  plans: PlansUsed,
  of: { model: string; meter: UsageMeter; ofModel: readonly UsageQuantity[] },
): readonly RatedLine[] {
  const { model, meter, ofModel } = of
  const total = sum(ofModel.map(({ units }) => units[meter]))
  let before = 0n
  return inOrder(ofModel).flatMap((parts) => {
    const [first] = parts
    const quantity = sum(parts.map(({ units }) => units[meter]))
    if (first === undefined || quantity === 0n) return []
    const plan = planOf(plans, first)
    const price = findUsagePrice(plan.prices, { model, meter })
    const stretch = { before, quantity, total }
    before += quantity
    // A model without a price for requests has no line for them; what must have a price, `tenants apply` sees to.
    if (price === undefined) return []
    const { licenseRevision, planRevision, phase } = first
    const cost = chargeUnits(price, stretch, { phase, terms: plan.terms })
    return [
      line(currency, cost, {
        kind: 'usage',
        key: ['usage', model, meter, licenseRevision, plan.plan, planRevision, phase].join('/'),
        plan: plan.plan,
        planRevision,
        licenseRevision,
        phase,
        model,
        meter,
        quantity,
        parts: partsOf(parts.map(({ facility, units }) => ({ facility, quantity: units[meter] }))),
      }),
    ]
  })
}

/** Use under one set of conditions together, the earlier conditions first. */
function inOrder(usage: readonly UsageQuantity[]): readonly (readonly UsageQuantity[])[] {
  const groups = Map.groupBy(usage, (one) =>
    [one.licenseRevision, one.plan, one.planRevision, phases.indexOf(one.phase)].join('/'),
  )
  return [...groups.values()].toSorted(([a], [b]) => {
    assert(a !== undefined && b !== undefined, 'a group has a member')
    return (
      a.licenseRevision - b.licenseRevision ||
      byText(a.plan, b.plan) ||
      a.planRevision - b.planRevision ||
      phases.indexOf(a.phase) - phases.indexOf(b.phase)
    )
  })
}

interface Part {
  readonly facility: string
  readonly quantity: bigint
}

/** One part per facility, by its name, those that used something. */
const partsOf = (parts: readonly Part[]): readonly Part[] =>
  [...Map.groupBy(parts, ({ facility }) => facility)]
    .map(([facility, some]) => ({ facility, quantity: sum(some.map(({ quantity }) => quantity)) }))
    .filter(({ quantity }) => quantity > 0n)
    .toSorted((a, b) => byText(a.facility, b.facility))

function facilityLines({ currency, daysInPeriod, facilityDays }: PeriodUse, plans: PlansUsed): readonly RatedLine[] {
  return byPlan(facilityDays).flatMap((some) => {
    const [first] = some
    assert(first !== undefined, 'a group has a member')
    const price = planOf(plans, first).prices.find(({ meter }) => meter === 'facility')
    const parts = partsOf(some.map(({ facility, days }) => ({ facility, quantity: BigInt(days) })))
    const quantity = sum(parts.map((part) => part.quantity))
    if (price === undefined || quantity === 0n) return []
    const { plan, planRevision } = first
    return [
      line(currency, exactly(amountOf(price.amount) * quantity, BigInt(daysInPeriod)), {
        ...ofPlan,
        kind: 'facility',
        key: `facility/${plan}/${planRevision}`,
        plan,
        planRevision,
        quantity,
        parts,
      }),
    ]
  })
}

/** What is missing to the least that the days of the period cost: commitments of several plan revisions add up by day. */
function commitmentLines(
  { currency, daysInPeriod, termDays }: PeriodUse,
  plans: PlansUsed,
  charged: readonly RatedLine[],
): readonly RatedLine[] {
  const committed = termDays.map((some): Exact => {
    const { commitment } = planOf(plans, some).terms
    return exactly(amountOf(commitment ?? '0') * BigInt(some.days), BigInt(daysInPeriod))
  })
  const least = committed.reduce(addExact, exactly(0n))
  const last = termDays.findLast((some) => planOf(plans, some).terms.commitment !== undefined)
  if (last === undefined) return []
  const missing = addExact(least, exactly(-sum(charged.map(({ amount }) => amount))))
  if (missing.numerator <= 0n) return []
  const { plan, planRevision } = last
  return [line(currency, missing, { ...ofPlan, kind: 'commitment', key: 'commitment', plan, planRevision })]
}

/** Of what no license revision, phase, model or meter tells apart. */
const ofPlan = {
  licenseRevision: undefined,
  phase: undefined,
  model: undefined,
  meter: undefined,
  quantity: 0n,
  parts: [],
} as const

const byPlan = <T extends PlanDays>(days: readonly T[]): readonly (readonly T[])[] =>
  [...Map.groupBy(days, ({ plan, planRevision }) => `${plan}/${planRevision}`).values()].toSorted(([a], [b]) =>
    a === undefined || b === undefined ? 0 : byText(a.plan, b.plan) || a.planRevision - b.planRevision,
  )

/** The one place where money is rounded. */
function line(
  currency: string,
  cost: Exact,
  { parts, ...facts }: Omit<RatedLine, 'exact' | 'amount' | 'shares'> & { readonly parts: readonly Part[] },
): RatedLine {
  const unit = smallestUnit(currency)
  const amount = roundHalfEven(cost, unit)
  const weights = parts.map(({ quantity }) => quantity)
  const split = parts.length === 0 ? [] : allocate(amount, weights, unit)
  return {
    ...facts,
    exact: picos(roundHalfEven(cost, 1n)),
    amount: picos(amount),
    shares: parts.map((part, at) => ({ ...part, amount: picos(split[at] ?? 0n) })),
  }
}

const amountOf = (text: string): bigint => parseAmount(text) ?? 0n
const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)
/** By code units, the same on every machine. */
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
