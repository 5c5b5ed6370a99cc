import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { LicenseActName, type LicenseFacts } from './license.ts'
import { Terms } from './terms.ts'

/** Licenses with all their revisions and acts, of some tenants or of all. */
export async function loadLicenses(tx: Tx, tenantIds: readonly Uuid[] | 'all'): Promise<readonly LicenseFacts[]> {
  const some = tenantIds === 'all' ? undefined : [...tenantIds]
  const licenses = await tx
    .selectFrom('license')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .orderBy('created_at')
    .execute()
  const revisions = await tx
    .selectFrom('license_revision')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .orderBy('revision')
    .execute()
  const acts = await tx
    .selectFrom('license_act')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .orderBy('effective_at')
    .orderBy('act_id')
    .execute()
  const key = (row: { tenant_id: string; license: string }) => `${row.tenant_id} ${row.license}`
  const revisionsOf = Map.groupBy(revisions, key)
  const actsOf = Map.groupBy(acts, key)
  return licenses.map((row) => ({
    tenantId: row.tenant_id,
    license: row.license,
    revisions: (revisionsOf.get(key(row)) ?? []).map((revision) => ({
      revision: revision.revision,
      effectiveAt: instantOf(revision.effective_at),
      plan: revision.plan,
      termStart: instantOf(revision.term_start),
      termEnd: instantOf(revision.term_end),
      graceDays: revision.grace_days,
      evaluation: revision.evaluation,
      terms: Terms.parse(revision.terms),
    })),
    acts: (actsOf.get(key(row)) ?? []).map((act) => ({
      act: LicenseActName.parse(act.act),
      reason: act.reason,
      until: act.until_at === null ? undefined : instantOf(act.until_at),
      effectiveAt: instantOf(act.effective_at),
    })),
  }))
}

export async function findLicenseRow(tx: Tx, license: string): Promise<{ tenantId: Uuid; tenant: string } | undefined> {
  const row = await tx
    .selectFrom('license')
    .innerJoin('tenant', 'tenant.tenant_id', 'license.tenant_id')
    .select(['license.tenant_id', 'tenant.tenant'])
    .where('license', '=', license)
    .executeTakeFirst()
  return row === undefined ? undefined : { tenantId: row.tenant_id, tenant: row.tenant }
}

export async function appendLicenseAct(
  tx: Tx,
  act: {
    tenantId: Uuid
    license: string
    act: LicenseActName
    reason: string
    until: Instant | undefined
    effectiveAt: Instant
    recordedBy: string
  },
): Promise<void> {
  await tx
    .insertInto('license_act')
    .values({
      tenant_id: act.tenantId,
      license: act.license,
      act: act.act,
      reason: act.reason,
      until_at: act.until === undefined ? null : new Date(act.until),
      effective_at: new Date(act.effectiveAt),
      recorded_by: act.recordedBy,
    })
    .execute()
}
