import { sql } from 'kysely'
import { systemTransaction } from '../db/index.ts'
import type { Job } from './job.ts'

/** Makes the ledger's next months ahead of time. */
export const ensureMonthsJob: Job = {
  name: 'ensure-months',
  everySeconds: 6 * 3600,
  async run({ database }) {
    await systemTransaction(database, 'maintain', (tx) => sql`select ensure_usage_months(1, 3)`.execute(tx))
  },
}
