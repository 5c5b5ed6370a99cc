import { pruneDirectoryChanges, systemTransaction } from '../db/index.ts'
import { pruneAnswers, pruneOnce, pruneSessions } from '../identity/index.ts'
import { pruneLeases, pruneRateWindows } from '../quota/index.ts'
import type { Job } from './job.ts'

/**
 * Forgets what nobody can need any more: changes that every process has seen, windows and leases that have ended,
 * answers that nobody asks for again, assertions that are too old to be shown, sessions that ended
 * long ago.
 */
export const pruneJob: Job = {
  name: 'prune',
  everySeconds: 600,
  run: ({ database }) =>
    systemTransaction(database, 'maintain', async (tx) => {
      await pruneDirectoryChanges(tx)
      await pruneRateWindows(tx)
      await pruneLeases(tx)
      await pruneAnswers(tx)
      await pruneOnce(tx)
      await pruneSessions(tx)
    }),
}
