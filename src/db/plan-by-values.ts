import { sql } from 'kysely'
import type { Tx } from './database.ts'

/**
 * For the rest of a transaction that adds up much: its statements are planned with their values in sight, where those that
 * calls wait for are planned once for all values, and are not compiled, which takes longer than they do.
 */
export async function planByValues(tx: Tx): Promise<void> {
  await sql`select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)`.execute(tx)
}
