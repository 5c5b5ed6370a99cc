import { sql } from 'kysely'
import { systemTransaction } from '../db/index.ts'
import type { Job } from './job.ts'

/** Forgets what nobody can need any more: notes of changes that every process has seen, and windows that have ended. */
export const pruneJob: Job = {
  name: 'prune',
  everySeconds: 600,
  async run({ database }) {
    await systemTransaction(database, 'maintain', async (tx) => {
      // The newest note stays: a process that starts reads its number.
      await sql`
        delete from directory_change where changed_at < now() - interval '1 day'
          and change_seq < (select max(change_seq) from directory_change)`.execute(tx)
      await sql`delete from rate_window where expire < extract(epoch from now()) * 1000 - 60000`.execute(tx)
    })
  },
}
