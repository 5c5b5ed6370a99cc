import { systemTransaction } from '../db/index.ts'
import { unfoldStragglers } from '../metering/index.ts'
import type { Job } from './job.ts'

/** Brings batches into the ledger whose writers did not: they died, or were told too late that a batch was written. */
export const unfoldStragglersJob: Job = {
  name: 'unfold-stragglers',
  everySeconds: 2,
  async run({ database, log }) {
    const batches = await systemTransaction(database, 'commit-usage', unfoldStragglers)
    if (batches > 0) log.warn('ledger.stragglers', { batches })
  },
}
