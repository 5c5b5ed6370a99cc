import { systemTransaction } from '../db/index.ts'
import { ensureUsageMonths } from '../metering/index.ts'
import type { Job } from './job.ts'

/** Makes the ledger's next months ahead of time. */
export const ensureMonthsJob: Job = {
  name: 'ensure-months',
  everySeconds: 6 * 3600,
  run: ({ database }) => systemTransaction(database, 'maintain', ensureUsageMonths),
}
