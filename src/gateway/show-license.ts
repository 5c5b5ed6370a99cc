import { err, formatAmount, isoOf, ok, picos, requestName, type Instant, type Result } from '../kernel/index.ts'
import { tenantTransaction } from '../db/index.ts'
import { authenticate } from '../identity/index.ts'
import {
  budgetName,
  graceEnd,
  licenseState,
  overdueAttestations,
  requireLicense,
  revisionAt,
  type LicenseFacts,
  type LicenseRevision,
} from '../licensing/index.ts'
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
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const licensed = requireLicense(gateway, principal.value, asking.now)
  const { tenant } = principal.value
  const name = licensed.ok ? licensed.value.license : licensed.error.license
  const facts = gateway.findLicenses(tenant.tenantId).find((candidate) => candidate.license === name)
  const revision = facts === undefined ? undefined : (revisionAt(facts, asking.now) ?? facts.revisions[0])
  if (facts === undefined || revision === undefined)
    return err(licensed.ok ? [{ reason: 'license_missing' }] : licensed.error.refusals)
  const toRead = requireLicense(gateway, principal.value, asking.now, { toRead: true })
  return ok({
    license: facts.license,
    tenant: tenant.tenant,
    revision: revision.revision,
    decision: decisionOf(asking, licensed.ok ? [] : licensed.error.refusals),
    state: licenseState(facts, revision, asking.now).state,
    evaluation: revision.evaluation,
    term: {
      start: isoOf(revision.termStart),
      end: isoOf(revision.termEnd),
      grace_ends: isoOf(graceEnd(revision)),
      expiry: revision.terms.expiry ?? 'grace',
    },
    attestations: attestationsOf(facts, revision, asking.now),
    plan: revision.plan,
    entitlements: revision.terms.entitlements,
    residency: revision.terms.residency,
    rates: revision.terms.rates,
    models: toRead.ok ? listedFor(gateway, toRead.value, asking.now) : [],
    budgets: await budgetsOf(gateway, asking, facts, revision),
  })
}

/** The decision on the license itself, whatever is asked for: a call of a model is decided with all that it asks. */
function decisionOf(asking: Asking, refusals: readonly Refusal[]) {
  const reasons = refusals.map((refusal) => toWire(refusal))
  const [first] = reasons
  return {
    id: requestName(asking.requestId),
    outcome: first === undefined ? 'permit' : 'deny',
    code: first?.code ?? null,
    reasons: reasons.map(({ code }) => code),
    message: first?.message ?? null,
    evaluated_at: isoOf(asking.now),
  }
}

function attestationsOf(facts: LicenseFacts, revision: LicenseRevision, now: Instant): readonly object[] {
  const overdue = new Set(overdueAttestations(facts, revision, now).map(({ kind }) => kind))
  return (revision.terms.attestations ?? []).map(({ kind, due }) => ({ kind, due, overdue: overdue.has(kind) }))
}

async function budgetsOf(
  gateway: Gateway,
  asking: Asking,
  facts: LicenseFacts,
  revision: LicenseRevision,
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
