import { instant, plusDays, type Instant } from '../../src/kernel/index.ts'
import type { PlanRevision } from '../../src/billing/index.ts'
import type { Permit } from '../../src/policy/index.ts'
import type { Deployment } from '../../src/routing/index.ts'
import type { PlannedLicense } from './schedule.ts'

/** One token costs one unit of the currency, so that budgets of money and of tokens compare. */
export const plan: PlanRevision = {
  plan: 'standard',
  revision: 1,
  currency: 'USD',
  prices: [
    { meter: 'input_tokens', per: 1, amount: '1.00' },
    { meter: 'output_tokens', per: 1, amount: '1.00' },
  ],
  terms: {},
  effectiveAt: instant(0),
}

export const version = { version: '1.0.0', contextTokens: 1_000, outputTokens: 200 }

export const deployment: Deployment = {
  model: 'clinical-assistant',
  version: version.version,
  deployment: 'east',
  url: 'http://east.internal/v1',
  upstreamModel: 'clinical-8b',
  region: 'us-east',
  weight: 1,
  credentialEnv: undefined,
}

export const wallStart = (turnsPeriod: boolean): Instant =>
  instant(turnsPeriod ? Date.UTC(2026, 6, 31, 23, 59, 58) : Date.UTC(2026, 6, 15, 12))

/** Ends in a digit that decides the lane. */
export const tenantIdOf = (tenant: number): string => `0190a000-0000-7000-8000-00000000000${tenant}`

/**
 * What the gates before the quota would hand over for a tenant. Policy makes permits from licenses and catalogs; quota
 * and metering read only these members of one.
 */
export function permitOf(license: PlannedLicense, revision: 1 | 2): Permit {
  const factor = revision === 2 ? (license.revised?.factor ?? 1) : 1
  const limitOf = (limit: number) => Math.max(1, Math.floor(limit * factor))
  const permit = {
    licensed: {
      license: `LIC-${license.tenant + 1}`,
      principal: {
        tenant: { tenantId: tenantIdOf(license.tenant), tenant: `tenant-${license.tenant + 1}` },
        application: { application: 'ehr' },
        keyId: 'key-1',
      },
      revision: {
        revision,
        plan: plan.plan,
        termStart: plusDays(wallStart(false), -100),
        termEnd: plusDays(wallStart(false), 200),
        terms: {
          budgets: license.budgets.map(({ meter, per, limit }) => ({
            meter,
            per,
            limit: meter === 'cost' ? `${limitOf(limit)}.00` : limitOf(limit),
            overage: 'deny',
          })),
          rates: { concurrency: license.concurrency },
        },
      },
    },
    operation: 'chat',
    model: { model: deployment.model },
    version,
    facility: { facility: 'main' },
    purpose: 'TREAT',
    audience: 'clinician',
  }
  return permit as unknown as Permit
}
