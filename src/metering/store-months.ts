import { sql } from 'kysely'
import type { Tx } from '../db/index.ts'

/** Makes the partitions of last month to three months ahead, those that are missing. */
export async function ensureUsageMonths(tx: Tx): Promise<void> {
  await sql`select ensure_usage_months(1, 3)`.execute(tx)
}
