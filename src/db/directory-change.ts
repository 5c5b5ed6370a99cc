import { sql } from 'kysely'
import type { Tx } from './database.ts'

/** Forgets notes that are a day old. The newest stays: a process that starts reads its number. */
export async function pruneDirectoryChanges(tx: Tx): Promise<void> {
  await sql`
    delete from directory_change where changed_at < now() - interval '1 day'
      and change_seq < (select max(change_seq) from directory_change)`.execute(tx)
}
