import { assert, type Instant } from '../../kernel/index.ts'
import { phases, type Phase } from '../charge-units.ts'
import { findUsagePrice, usageMeters, type PlanRevision, type UsageMeter } from '../prices.ts'
import type { Units } from '../rate-period.ts'
import { cutStretch, type Segment } from './cut-stretch.ts'
import { fine, multiplyFine, type Fine } from './fine.ts'

/** What one facility used of one model in one region on one day (UTC), under one set of conditions. */
export interface DayUse {
  readonly day: Instant
  readonly facility: string
  readonly region: string
  readonly model: string
  readonly licenseRevision: number
  readonly plan: string
  readonly planRevision: number
  readonly phase: Phase
  readonly units: Units
}

/** Units of one meter that one facility used on one day and that have one price. */
export interface DayCharge extends Omit<DayUse, 'units'> {
  /** The rated line that it is a part of, as `ratePeriod` names it. */
  readonly key: string
  readonly meter: UsageMeter
  readonly segment: Segment
  readonly cost: Fine
}

/**
 * A month's use, each day's units priced in the order of the days, and within a day of facilities and regions. Conditions
 * come in the order in which `ratePeriod` counts them, so that the charges of a line add up to what the line costs before
 * it is rounded.
 */
export function chargeDays(use: readonly DayUse[], plans: readonly PlanRevision[]): readonly DayCharge[] {
  return [...Map.groupBy(use, ({ model }) => model)]
    .toSorted(([a], [b]) => byText(a, b))
    .flatMap(([, ofModel]) => {
      const inOrder = ofModel.toSorted(asCounted)
      return usageMeters.flatMap((meter) => chargeMeter(inOrder, meter, plans))
    })
}

function chargeMeter(use: readonly DayUse[], meter: UsageMeter, plans: readonly PlanRevision[]): readonly DayCharge[] {
  const total = use.reduce((sum, { units }) => sum + units[meter], 0n)
  let before = 0n
  return use.flatMap(({ units, ...facts }) => {
    const quantity = units[meter]
    const stretch = { before, quantity, total }
    before += quantity
    if (quantity === 0n) return []
    const plan = plans.find(({ plan: name, revision }) => name === facts.plan && revision === facts.planRevision)
    assert(
      plan !== undefined,
      `a month was used under ${facts.plan} revision ${facts.planRevision}, which is not there`,
    )
    const price = findUsagePrice(plan.prices, { model: facts.model, meter })
    if (price === undefined) return []
    const { licenseRevision, planRevision, phase } = facts
    const key = ['usage', facts.model, meter, licenseRevision, facts.plan, planRevision, phase].join('/')
    return cutStretch(price, stretch, { phase, terms: plan.terms }).map((segment) => ({
      ...facts,
      key,
      meter,
      segment,
      cost: multiplyFine(segment.contractedPrice, segment.quantity),
    }))
  })
}

/** By conditions as `ratePeriod` takes them, then by day, facility and region. */
const asCounted = (a: DayUse, b: DayUse): number =>
  a.licenseRevision - b.licenseRevision ||
  byText(a.plan, b.plan) ||
  a.planRevision - b.planRevision ||
  phases.indexOf(a.phase) - phases.indexOf(b.phase) ||
  a.day - b.day ||
  byText(a.facility, b.facility) ||
  byText(a.region, b.region)

/**
 * What has to be added to some charges so that they become others: of each day, facility and price the difference. A late
 * call in the middle of a month moves the steps of the days after it, and all of that is in it.
 */
export function differencesOf(was: readonly DayCharge[], is: readonly DayCharge[]): readonly DayCharge[] {
  const differences = new Map<string, DayCharge>()
  const add = (charge: DayCharge, sign: 1n | -1n) => {
    const { segment } = charge
    const name = [charge.key, charge.day, charge.facility, charge.region, segment.step, segment.per]
      .concat(String(segment.contractedPrice), String(segment.listPrice))
      .join(' ')
    const before = differences.get(name)
    differences.set(name, {
      ...charge,
      segment: {
        ...segment,
        units: (before?.segment.units ?? 0n) + sign * segment.units,
        quantity: fine((before?.segment.quantity ?? 0n) + sign * segment.quantity),
      },
      cost: fine((before?.cost ?? 0n) + sign * charge.cost),
    })
  }
  for (const charge of was) add(charge, -1n)
  for (const charge of is) add(charge, 1n)
  return [...differences.values()]
    .filter(({ segment, cost }) => segment.units !== 0n || segment.quantity !== 0n || cost !== 0n)
    .toSorted(
      (a, b) =>
        byText(a.key, b.key) ||
        asCounted({ ...a, units: noUnits }, { ...b, units: noUnits }) ||
        byText(a.segment.step, b.segment.step),
    )
}

const noUnits: Units = { input_tokens: 0n, output_tokens: 0n, requests: 0n, inferences: 0n }

/** By code units, the same on every machine. */
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
