import { instant, type Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { appendNotice } from '../release/index.ts'
import { is, portions } from './changed-rows.ts'
import { licenseDocument, planDocument, policyDocument } from './document.ts'
import type { Change } from './change.ts'
import { applyCatalog } from './store-catalog.ts'
import { digestOf } from './store-digest.ts'
import { applyApplications, applyFacilities, applyTenants, idOf, tenantIds, type TenantIds } from './store-tenants.ts'

/**
 * Does what a plan says, in the order that the tables refer to each other. Rows are added, changed or marked as ended,
 * never deleted; a plan or a license is only ever appended to.
 */
export async function applyChanges(
  tx: Tx,
  changes: readonly Change[],
  by: { recordedBy: string; now: Instant },
): Promise<void> {
  const at = new Date(by.now)
  await applyCatalog(tx, changes, by)
  await appendPlans(tx, changes, at)
  await applyTenants(tx, changes, at)
  const ids = await tenantIds(tx, changes)
  await applyFacilities(tx, changes, ids, at)
  await applyApplications(tx, changes, ids, at)
  await appendLicenses(tx, changes, ids, { recordedBy: by.recordedBy, at })
  await announceSunsets(tx, changes, by)
  await appendPolicies(tx, changes, ids, { recordedBy: by.recordedBy, at })
}

async function appendPlans(tx: Tx, changes: readonly Change[], at: Date): Promise<void> {
  const plans = changes.filter(is('plan'))
  for (const { row, revision } of plans)
    await tx
      .insertInto('plan_revision')
      .values({
        plan: row.plan,
        revision,
        currency: row.currency,
        prices: JSON.stringify(row.prices),
        effective_at: at,
        document_sha256: digestOf(planDocument(row)),
      })
      .execute()
}

async function appendLicenses(
  tx: Tx,
  changes: readonly Change[],
  ids: TenantIds,
  by: { recordedBy: string; at: Date },
): Promise<void> {
  for (const licenses of portions(changes.filter(is('license')))) {
    await tx
      .insertInto('license')
      .values(
        licenses.map(({ row }) => ({ tenant_id: idOf(ids, row.tenant), license: row.license, created_at: by.at })),
      )
      .onConflict((conflict) => conflict.columns(['tenant_id', 'license']).doNothing())
      .execute()
    await tx
      .insertInto('license_revision')
      .values(
        licenses.map(({ row, revision }) => ({
          tenant_id: idOf(ids, row.tenant),
          license: row.license,
          revision,
          effective_at: by.at,
          recorded_by: by.recordedBy,
          plan: row.plan,
          term_start: new Date(row.termStart),
          term_end: new Date(row.termEnd),
          grace_days: row.graceDays,
          evaluation: row.evaluation,
          terms: JSON.stringify(row.terms),
          document_sha256: digestOf(licenseDocument(row)),
        })),
      )
      .execute()
  }
}

/** Who will lose a version is told when it is decided. */
async function announceSunsets(
  tx: Tx,
  changes: readonly Change[],
  by: { recordedBy: string; now: Instant },
): Promise<void> {
  for (const { row, fields } of changes.filter(is('license')))
    for (const { model, pin, sunset } of row.terms.entitlements) {
      const isNew = fields.some(({ field, to }) => field.endsWith('.sunset') && to === sunset)
      if (sunset === undefined || !isNew) continue
      await appendNotice(tx, {
        tenant: row.tenant,
        kind: 'sunset',
        model,
        version: pin,
        summary: `${model} ${pin} is served until ${sunset}. Move your pin before.`,
        issuedAt: by.now,
        effectiveAt: instant(Math.max(by.now, Date.parse(sunset))),
        issuedBy: by.recordedBy,
      })
    }
}

async function appendPolicies(
  tx: Tx,
  changes: readonly Change[],
  ids: TenantIds,
  by: { recordedBy: string; at: Date },
): Promise<void> {
  for (const { row, revision } of changes.filter(is('policy'))) {
    const values = {
      revision,
      policies: JSON.stringify(row.policies),
      effective_at: by.at,
      recorded_by: by.recordedBy,
      document_sha256: digestOf(policyDocument(row)),
    }
    await (row.tenant === undefined
      ? tx.insertInto('policy_revision').values(values).execute()
      : tx
          .insertInto('tenant_policy_revision')
          .values({ tenant_id: idOf(ids, row.tenant), ...values })
          .execute())
  }
}
