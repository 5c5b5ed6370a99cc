import type { Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { KeptPolicies, type PolicyRevision } from './policy-revision.ts'

/** The newest revision of the owner's policies; undefined when none were ever declared. */
export async function loadOwnerPolicies(tx: Tx): Promise<PolicyRevision | undefined> {
  const row = await tx
    .selectFrom('policy_revision')
    .select(['revision', 'policies', 'document_sha256'])
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? undefined : revisionOf(row)
}

/** The newest revision of each tenant that has policies, of some tenants or of all. */
export async function loadTenantPolicies(
  tx: Tx,
  tenantIds: readonly Uuid[] | 'all',
): Promise<ReadonlyMap<Uuid, PolicyRevision>> {
  const some = tenantIds === 'all' ? undefined : [...tenantIds]
  const rows = await tx
    .selectFrom('tenant_policy_revision')
    .select(['tenant_id', 'revision', 'policies', 'document_sha256'])
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
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
