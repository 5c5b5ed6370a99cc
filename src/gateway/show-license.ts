import { err, formatAmount, isoOf, ok, picos, plusDays, type Result } from '../kernel/index.ts'
import { tenantTransaction } from '../db/index.ts'
import { authenticate } from '../identity/index.ts'
import { budgetName, licenseState, requireLicense, revisionAt, type LicenseFacts } from '../licensing/index.ts'
import { untilUnfolded } from '../metering/index.ts'
import { limitOf, loadAccounts, periodOf } from '../quota/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import { listedFor } from './list-models.ts'
import { toWire, type Refusal } from './refusal.ts'

/**
 * The caller's license: the decision that a call would meet now, its codes, what it grants, and what is left of each
 * budget. A license that is not in force is shown too, with the reason: that is what its holder needs to see.
 */
export async function showLicense(gateway: Gateway, asking: Asking): Promise<Result<object, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking.authorization, asking.now)
  if (!principal.ok) return err([principal.error])
  const licensed = requireLicense(gateway, principal.value, asking.now)
  const { tenant } = principal.value
  const name = licensed.ok ? licensed.value.license : licensed.error.license
  const facts = gateway.findLicenses(tenant.tenantId).find((candidate) => candidate.license === name)
  if (facts === undefined) return err(licensed.ok ? [{ reason: 'license_missing' }] : [licensed.error.refusal])
  const revision = revisionAt(facts, asking.now) ?? facts.revisions[0]
  if (revision === undefined) return err([{ reason: 'license_missing' }])
  return ok({
    license: facts.license,
    tenant: tenant.tenant,
    revision: revision.revision,
    decision: decisionOf(licensed.ok ? undefined : licensed.error.refusal),
    state: licenseState(facts, revision, asking.now).state,
    evaluation: revision.evaluation,
    term: {
      start: isoOf(revision.termStart),
      end: isoOf(revision.termEnd),
      grace_ends: isoOf(plusDays(revision.termEnd, revision.graceDays)),
    },
    plan: revision.plan,
    entitlements: revision.terms.entitlements,
    residency: revision.terms.residency,
    rates: revision.terms.rates,
    models: licensed.ok ? listedFor(gateway, licensed.value, asking.now) : [],
    budgets: await budgetsOf(gateway, asking, facts, revision),
  })
}

const decisionOf = (refusal: Refusal | undefined) =>
  refusal === undefined
    ? { outcome: 'permit', code: null, reasons: [], message: null }
    : { outcome: 'deny', code: toWire(refusal).code, reasons: [toWire(refusal).code], message: toWire(refusal).message }

async function budgetsOf(
  gateway: Gateway,
  asking: Asking,
  facts: LicenseFacts,
  revision: NonNullable<ReturnType<typeof revisionAt>>,
): Promise<readonly object[]> {
  await untilUnfolded(gateway.database)
  const accounts = await tenantTransaction(gateway.database, facts.tenantId, (tx) => loadAccounts(tx, facts.license))
  return revision.terms.budgets.map((budget) => {
    const period = periodOf(budget.per, { start: revision.termStart, end: revision.termEnd }, asking.now)
    const account = accounts.find(
      (row) => row.budget === budgetName(budget) && row.periodStart.getTime() === period.start,
    )
    const { limit } = limitOf(budget, revision.revision)
    const used = account?.used ?? 0n
    const held = account?.held ?? 0n
    const left = limit === null ? null : limit > used ? limit - used : 0n
    const shown = (amount: bigint | null) =>
      amount === null ? null : budget.meter === 'cost' ? formatAmount(picos(amount)) : Number(amount)
    return {
      budget: budgetName(budget),
      meter: budget.meter,
      per: budget.per,
      overage: budget.overage,
      period: { start: isoOf(period.start), end: isoOf(period.end) },
      limit: shown(limit),
      used: shown(used),
      held: shown(held),
      left: shown(left),
    }
  })
}
