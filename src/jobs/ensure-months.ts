import { ensureAuditMonths } from '../audit/index.ts'
import { systemTransaction } from '../db/index.ts'
import { ensureUsageMonths } from '../metering/index.ts'
import type { Job } from './job.ts'

/** Makes the next months of the ledger and of the audit entries ahead of time. */
export const ensureMonthsJob: Job = {
  name: 'ensure-months',
  everySeconds: 6 * 3600,
  run: ({ database }) =>
    systemTransaction(database, 'maintain', async (tx) => {
      await ensureUsageMonths(tx)
      await ensureAuditMonths(tx)
    }),
}
