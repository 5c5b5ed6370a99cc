import type { Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** Every tenant's id by its name, those that have ended included. */
export async function loadTenantIds(tx: Tx): Promise<ReadonlyMap<string, Uuid>> {
  const rows = await tx.selectFrom('tenant').select(['tenant', 'tenant_id']).execute()
  return new Map(rows.map((row) => [row.tenant, row.tenant_id]))
}
