import { sql } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import type { Database, Tx } from './database.ts'
import { asFailure } from './constraint.ts'

/**
 * Runs `work` in one transaction that sees and writes the rows of one tenant only, whatever its queries say.
 * @throws Failure when the database cannot be reached; whatever `work` throws, after rolling back.
 */
export async function tenantTransaction<T>(
  database: Database,
  tenantId: Uuid,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  return asFailure(() =>
    database.tenantKysely.transaction().execute(async (transaction) => {
      await sql`select set_config('app.tenant_id', ${tenantId}, true)`.execute(transaction)
      return work(transaction as Tx)
    }),
  )
}
