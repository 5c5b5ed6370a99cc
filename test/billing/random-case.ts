import { formatAmount, instant, picos } from '../../src/kernel/index.ts'
import { phases } from '../../src/billing/charge-units.ts'
import { usageMeters, type PlanRevision, type UsageMeter, type UsagePrice } from '../../src/billing/prices.ts'
import type { FacilityDays, PeriodUse, PlanDays, UsageQuantity } from '../../src/billing/rate-period.ts'

export interface RandomCase {
  readonly use: PeriodUse
  readonly plans: readonly PlanRevision[]
  /** What was prepaid and is left, and what is bought with this period. */
  readonly credit: { readonly balance: bigint; readonly bought: bigint }
}

/** A plan of one or two revisions and a period's use of it, small and large numbers alike. */
export function randomCase(random: () => number): RandomCase {
  const pick = <T>(values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0]
  const upTo = (max: number): number => Math.floor(random() * (max + 1))
  const maybe = <T>(part: number, value: () => T): T | undefined => (random() < part ? value() : undefined)
  const currency = pick(['USD', 'USD', 'JPY', 'KWD', 'CLF'])
  const per = () => pick([1, 10, 1000, 1_000_000] as const)
  // Often on the edge between two cents: that is where rounding goes wrong.
  const amount = () =>
    pick([
      () => `${upTo(20)}.${String(upTo(99)).padStart(2, '0')}`,
      () => '0',
      () => `0.00${upTo(9)}`,
      () => `${upTo(9)}.5`,
    ])()
  const steps = () => {
    let from = 1
    return Array.from({ length: 1 + upTo(3) }, () => ({
      from: (from += 1 + upTo(random() < 0.5 ? 20 : 5_000)),
      amount: amount(),
    }))
  }
  const usagePrice = (model: string | undefined, meter: UsageMeter): UsagePrice => {
    const shape = pick(['plain', 'plain', 'package', 'graduated', 'volume'])
    return {
      ...(model === undefined ? {} : { model }),
      meter,
      per: per(),
      amount: amount(),
      included: maybe(0.3, () => 1 + upTo(random() < 0.5 ? 20 : 3_000)),
      ...(shape === 'package' ? { package: true } : {}),
      ...(shape === 'graduated' || shape === 'volume' ? { tiers: shape, steps: steps() } : {}),
      evaluation: maybe(0.2, amount),
      grace: maybe(0.2, amount),
    }
  }
  const models = ['assistant', 'ecg'] as const
  const plan = (revision: number): PlanRevision => ({
    plan: 'plan',
    revision,
    currency,
    effectiveAt: instant(revision),
    prices: [
      ...usageMeters.flatMap((meter) => maybe(0.9, () => usagePrice(undefined, meter)) ?? []),
      ...usageMeters.flatMap((meter) => maybe(0.3, () => usagePrice('ecg', meter)) ?? []),
      ...(random() < 0.6 ? [{ meter: 'facility' as const, per: 'month' as const, amount: amount() }] : []),
    ],
    terms: {
      ...(random() < 0.4 ? { commitment: `${upTo(500)}.${upTo(9)}5` } : {}),
      ...(random() < 0.3 ? { evaluation: 'free' as const } : {}),
      ...(random() < 0.4 ? { grace: { percent: pick([0, 33, 100, 125, 150]) } } : {}),
    },
  })
  const revisions = 1 + upTo(1)
  const plans = Array.from({ length: revisions }, (_, at) => plan(at + 1))
  const units = () => BigInt(pick([() => 0, () => upTo(12), () => upTo(4_000), () => upTo(3_000_000)])())
  const usage = Array.from({ length: upTo(6) }, (): UsageQuantity => ({
    licenseRevision: 1 + upTo(1),
    plan: 'plan',
    planRevision: 1 + upTo(revisions - 1),
    phase: pick(phases),
    facility: pick(['north', 'south', 'west']),
    model: pick(models),
    units: { input_tokens: units(), output_tokens: units(), requests: units(), inferences: units() },
    listed: picos(0n),
  }))
  const daysInPeriod = pick([28, 29, 30, 31])
  const first = upTo(daysInPeriod)
  const days = (total: number): readonly PlanDays[] =>
    [first, daysInPeriod - first]
      .slice(0, revisions)
      .map((part, at) => ({ plan: 'plan', planRevision: at + 1, days: Math.min(part, total) }))
      .filter((some) => some.days > 0)
  const facilityDays = ['north', 'south', 'west']
    .slice(0, upTo(3))
    .flatMap((facility): readonly FacilityDays[] => days(upTo(daysInPeriod)).map((some) => ({ ...some, facility })))
  const money = () => BigInt(upTo(300)) * 1_000_000_000_000n
  return {
    use: { currency, daysInPeriod, usage, termDays: days(daysInPeriod), facilityDays },
    plans,
    credit: { balance: money(), bought: maybe(0.2, money) ?? 0n },
  }
}

/** A case as text, to be looked at. */
export const describeCase = (one: RandomCase): string =>
  JSON.stringify(one, (_, value: unknown) => (typeof value === 'bigint' ? formatAmount(picos(value)) : value), 1)
