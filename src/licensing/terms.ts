import { z } from 'zod'
import semver from 'semver'
import { parseAmount } from '../kernel/index.ts'
import { privacyModes } from '../privacy/index.ts'
import { Audience, Purpose } from '../identity/index.ts'

/** What a license revision grants, as declared in license.yaml and kept in license_revision.terms. */
const Slug = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits, hyphens and dots')
const Version = z.string().refine((text) => semver.valid(text) === text, 'a version such as 1.2.0')
const VersionRange = z
  .string()
  .refine((text) => semver.validRange(text) !== null, 'a version range such as ">=1.0.0 <2.0.0"')

export const Entitlement = z
  .strictObject({
    model: Slug,
    versions: VersionRange,
    /** The version that the bare model name means. */
    pin: Version,
    /** From this instant on the pinned version is refused; a notice says so before. With its offset. */
    sunset: z.iso.datetime({ offset: true }).optional(),
    audiences: z.array(Audience).min(1),
    purposes: z.array(Purpose).min(1),
    /** The facilities it is limited to; absent: every facility of the tenant. */
    facilities: z.array(Slug).min(1).optional(),
  })
  .refine((e) => semver.satisfies(e.pin, e.versions), { path: ['pin'], error: 'the pin must lie within versions' })
export type Entitlement = z.infer<typeof Entitlement>

/** Ceilings per minute and at once; absent: not limited. Counted over the whole license. */
export const Rates = z.strictObject({
  requestsPerMinute: z.int().min(1).max(1_000_000_000).optional(),
  tokensPerMinute: z.int().min(1).max(1_000_000_000).optional(),
  concurrency: z.int().min(1).max(100_000).optional(),
})
export type Rates = z.infer<typeof Rates>

export const countedMeters = ['requests', 'input_tokens', 'output_tokens', 'tokens', 'inferences'] as const
export const BudgetMeter = z.enum([...countedMeters, 'cost'])
export type BudgetMeter = z.infer<typeof BudgetMeter>
export const BudgetPer = z.enum(['day', 'month', 'term'])
export type BudgetPer = z.infer<typeof BudgetPer>

const budgetPart = {
  per: BudgetPer,
  overage: z.enum(['deny', 'allow']),
  model: Slug.optional(),
  application: Slug.optional(),
  facility: Slug.optional(),
}
export const Budget = z.discriminatedUnion('meter', [
  z.strictObject({
    meter: z.enum(countedMeters),
    limit: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    ...budgetPart,
  }),
  z.strictObject({
    meter: z.literal('cost'),
    /** A decimal in the plan's currency. */
    limit: z.string().refine((text) => parseAmount(text) !== undefined, 'an amount in quotes, such as "12000.00"'),
    ...budgetPart,
  }),
])
export type Budget = z.infer<typeof Budget>

export const PrivacyMode = z.enum(privacyModes)

export const BreakGlass = z.strictObject({
  /** So much of each budget more, for treatment alone, once the budget has ended. */
  percent: z.int().min(1).max(50),
})

/** Something that the tenant attests, and has to have attested from an instant on. */
export const RequiredAttestation = z.strictObject({
  kind: z.enum(['training', 'instructions-for-use', 'business-associate-agreement', 'insurance']),
  due: z.iso.datetime({ offset: true }),
})

export const Terms = z.strictObject({
  entitlements: z.array(Entitlement).min(1),
  rates: Rates.default({}),
  budgets: z.array(Budget).max(32).default([]),
  /** Regions whose deployments may serve this license. */
  residency: z.array(z.string().min(1)).min(1),
  privacy: z.partialRecord(Audience, PrivacyMode).default({}),
  /**
   * What the end of the term does. `stop`: nothing goes on. `grace`, which is what absent means: calls go on for the days
   * of grace. `read-only`: and after them models, cards and usage can still be read.
   */
  expiry: z.enum(['stop', 'grace', 'read-only']).optional(),
  attestations: z.array(RequiredAttestation).min(1).max(20).optional(),
  breakGlass: BreakGlass.optional(),
})
export type Terms = z.infer<typeof Terms>

/**
 * A budget's name within its license. It does not contain the limit, so that a raised limit continues the same account.
 */
export function budgetName(budget: Budget): string {
  const parts = (['model', 'application', 'facility'] as const).flatMap((part) => {
    const value = budget[part]
    return value === undefined ? [] : [`${part}=${value}`]
  })
  return [budget.meter, budget.per, ...parts].join('/')
}
