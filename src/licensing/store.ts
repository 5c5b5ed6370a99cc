import { canonicalJson, instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { sql } from 'kysely'
import { AttestationKind, LicenseActName, type LicenseFacts } from './license.ts'
import { licenseDocument, type LicenseGrant } from './license-document.ts'
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
    .orderBy('recorded_at')
    .orderBy('act_id')
    .execute()
  const attestations = await tx
    .selectFrom('license_attestation')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .orderBy('recorded_at')
    .orderBy('attestation_id')
    .execute()
  const key = (row: { tenant_id: string; license: string }) => `${row.tenant_id} ${row.license}`
  const revisionsOf = Map.groupBy(revisions, key)
  const actsOf = Map.groupBy(acts, key)
  const attestationsOf = Map.groupBy(attestations, key)
  return licenses.map((row) => ({
    tenantId: row.tenant_id,
    license: row.license,
    revisions: (revisionsOf.get(key(row)) ?? []).map((revision) => ({
      revision: revision.revision,
      effectiveAt: instantOf(revision.effective_at),
      recordedAt: instantOf(revision.recorded_at),
      recordedBy: revision.recorded_by,
      approvedBy: revision.approved_by ?? undefined,
      isCorrection: revision.is_correction,
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
      toLicense: act.to_license ?? undefined,
      effectiveAt: instantOf(act.effective_at),
      recordedAt: instantOf(act.recorded_at),
      recordedBy: act.recorded_by,
    })),
    attestations: (attestationsOf.get(key(row)) ?? []).map((given) => ({
      kind: AttestationKind.parse(given.kind),
      attestedAt: instantOf(given.attested_at),
      validUntil: given.valid_until === null ? undefined : instantOf(given.valid_until),
      recordedAt: instantOf(given.recorded_at),
      recordedBy: given.recorded_by,
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

/** One act on licenses at a time for a tenant, until the transaction ends: numbers of revisions have no gap and no twin. */
export const lockLicensesOf = async (tx: Tx, tenantId: Uuid): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(hashtext('formulary.license'), hashtext(${tenantId}))`.execute(tx))

export interface NewRevision {
  readonly tenantId: Uuid
  readonly grant: LicenseGrant
  readonly revision: number
  readonly effectiveAt: Instant
  readonly isCorrection: boolean
}

/** How many rows go in one statement. */
const portionMax = 500

/** Appends revisions, and the licenses that they are the first of. */
export async function appendRevisions(
  tx: Tx,
  revisions: readonly NewRevision[],
  by: { recordedBy: string; approvedBy: string | undefined; now: Instant },
): Promise<void> {
  for (let from = 0; from < revisions.length; from += portionMax) {
    const portion = revisions.slice(from, from + portionMax)
    await tx
      .insertInto('license')
      .values(
        portion.map(({ tenantId, grant }) => ({
          tenant_id: tenantId,
          license: grant.license,
          created_at: new Date(by.now),
        })),
      )
      .onConflict((conflict) => conflict.columns(['tenant_id', 'license']).doNothing())
      .execute()
    await tx
      .insertInto('license_revision')
      .values(
        portion.map(({ tenantId, grant, revision, effectiveAt, isCorrection }) => ({
          tenant_id: tenantId,
          license: grant.license,
          revision,
          effective_at: new Date(effectiveAt),
          recorded_at: new Date(by.now),
          recorded_by: by.recordedBy,
          approved_by: by.approvedBy ?? null,
          is_correction: isCorrection,
          plan: grant.plan,
          term_start: new Date(grant.termStart),
          term_end: new Date(grant.termEnd),
          grace_days: grant.graceDays,
          evaluation: grant.evaluation,
          terms: JSON.stringify(grant.terms),
          document_sha256: sql<Buffer>`sha256(convert_to(${canonicalJson(licenseDocument(grant))}, 'UTF8'))`,
        })),
      )
      .execute()
  }
}

export async function appendLicenseAct(
  tx: Tx,
  act: {
    tenantId: Uuid
    license: string
    act: LicenseActName
    reason: string
    until: Instant | undefined
    toLicense: string | undefined
    effectiveAt: Instant
    recordedAt: Instant
    recordedBy: string
    approvedBy: string | undefined
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
      to_license: act.toLicense ?? null,
      effective_at: new Date(act.effectiveAt),
      recorded_at: new Date(act.recordedAt),
      recorded_by: act.recordedBy,
      approved_by: act.approvedBy ?? null,
    })
    .execute()
}

export async function appendAttestation(
  tx: Tx,
  given: {
    tenantId: Uuid
    license: string
    kind: AttestationKind
    attestedAt: Instant
    validUntil: Instant | undefined
    recordedAt: Instant
    recordedBy: string
  },
): Promise<void> {
  await tx
    .insertInto('license_attestation')
    .values({
      tenant_id: given.tenantId,
      license: given.license,
      kind: given.kind,
      attested_at: new Date(given.attestedAt),
      valid_until: given.validUntil === undefined ? null : new Date(given.validUntil),
      recorded_at: new Date(given.recordedAt),
      recorded_by: given.recordedBy,
    })
    .execute()
}

/** The owner's name, as its documents say it; empty when nothing is declared. */
export async function loadOwnerName(tx: Tx): Promise<string> {
  const row = await tx.selectFrom('tenant').select('name').where('kind', '=', 'owner').executeTakeFirst()
  return row?.name ?? ''
}

/** Everything that a license's document says. */
export async function loadDocumentFacts(
  tx: Tx,
  license: string,
): Promise<{ facts: LicenseFacts; owner: string; tenant: string; facilities: readonly string[] } | undefined> {
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return undefined
  const facts = (await loadLicenses(tx, [row.tenantId])).find((candidate) => candidate.license === license)
  if (facts === undefined) return undefined
  const sites = await tx
    .selectFrom('facility')
    .select('facility')
    .where('tenant_id', '=', row.tenantId)
    .where('ended_at', 'is', null)
    .orderBy('facility')
    .execute()
  return {
    facts,
    owner: await loadOwnerName(tx),
    tenant: row.tenant,
    facilities: sites.map(({ facility }) => facility),
  }
}
