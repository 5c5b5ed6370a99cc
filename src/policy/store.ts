import type { Instant, Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { KeptPolicies, type PolicyRevision } from './policy-revision.ts'

/**
 * The newest revision of the owner's policies, or the one that was in force at an instant; undefined when none were
 * declared by then.
 */
export async function loadOwnerPolicies(tx: Tx, at?: Instant): Promise<PolicyRevision | undefined> {
  const row = await tx
    .selectFrom('policy_revision')
    .select(['revision', 'policies', 'document_sha256'])
    .$if(at !== undefined, (query) => query.where('effective_at', '<=', new Date(at ?? 0)))
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? undefined : revisionOf(row)
}

/** The newest revision of each tenant that has policies, or the one of an instant, of some tenants or of all. */
export async function loadTenantPolicies(
  tx: Tx,
  tenantIds: readonly Uuid[] | 'all',
  at?: Instant,
): Promise<ReadonlyMap<Uuid, PolicyRevision>> {
  const some = tenantIds === 'all' ? undefined : [...tenantIds]
  const rows = await tx
    .selectFrom('tenant_policy_revision')
    .select(['tenant_id', 'revision', 'policies', 'document_sha256'])
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .$if(at !== undefined, (query) => query.where('effective_at', '<=', new Date(at ?? 0)))
    .distinctOn('tenant_id')
    .orderBy('tenant_id')
    .orderBy('revision', 'desc')
    .execute()
  return new Map(rows.map((row): [Uuid, PolicyRevision] => [row.tenant_id, revisionOf(row)]))
}

const revisionOf = (row: { revision: number; policies: unknown; document_sha256: Uint8Array }): PolicyRevision => ({
  revision: row.revision,
  policies: KeptPolicies.parse(row.policies),
  digest: Array.from(row.document_sha256, (byte) => byte.toString(16).padStart(2, '0')).join(''),
})
