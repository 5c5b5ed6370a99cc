import type { Instant } from '../kernel/index.ts'
import { licenseAsOf, type LicenseFacts, type LicenseState } from '../licensing/index.ts'
import { noonsOf, type Period } from './month.ts'
import { planRevisionAt, type PlanRevision, type PriceBook } from './prices.ts'
import type { FacilityDays, PlanDays } from './rate-period.ts'

/** A site, since when it is its tenant's and until when. Undefined: from the beginning, and to no end. */
export interface FacilitySpan {
  readonly facility: string
  readonly beganAt: Instant | undefined
  readonly endedAt: Instant | undefined
}

/** A suspended license goes on costing; one that has ended, has not begun or is in grace has no days. */
const counted: ReadonlySet<LicenseState['state']> = new Set(['active', 'expiring', 'suspended'])

/**
 * The days of a period that flat prices and commitments are charged for: those in whose noon the license's term held, by
 * the plan revision that held then; of facilities, those on which they were there. Days of an evaluation that its plan
 * calls free are none.
 */
export function countDays(
  facts: { license: LicenseFacts; facilities: readonly FacilitySpan[]; book: PriceBook },
  { period, knownAt }: { period: Period; knownAt: Instant },
): { readonly termDays: readonly PlanDays[]; readonly facilityDays: readonly FacilityDays[] } {
  const days = noonsOf(period).flatMap((noon) => {
    const plan = planOn(facts, { noon, knownAt })
    return plan === undefined ? [] : [{ noon, plan }]
  })
  const byPlan = Map.groupBy(days, ({ plan }) => plan)
  const plans = [...byPlan.keys()]
  return {
    termDays: plans.map((plan) => ({ ...named(plan), days: byPlan.get(plan)?.length ?? 0 })),
    facilityDays: facts.facilities.flatMap((span) =>
      plans
        .map((plan) => ({
          ...named(plan),
          facility: span.facility,
          days: (byPlan.get(plan) ?? []).filter(({ noon }) => isThere(span, noon)).length,
        }))
        .filter((some) => some.days > 0),
    ),
  }
}

const named = ({ plan, revision }: PlanRevision) => ({ plan, planRevision: revision })

function planOn(
  { license, book }: { license: LicenseFacts; book: PriceBook },
  { noon, knownAt }: { noon: Instant; knownAt: Instant },
): PlanRevision | undefined {
  const held = licenseAsOf(license, { at: noon, knownAt })
  if (held === undefined || !counted.has(held.state.state)) return undefined
  const plan = planRevisionAt(book, held.revision.plan, noon)
  return held.revision.evaluation && plan?.terms.evaluation === 'free' ? undefined : plan
}

const isThere = ({ beganAt, endedAt }: FacilitySpan, noon: Instant): boolean =>
  (beganAt === undefined || beganAt <= noon) && (endedAt === undefined || noon < endedAt)
