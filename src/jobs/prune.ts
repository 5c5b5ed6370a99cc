import { pruneDirectoryChanges, systemTransaction } from '../db/index.ts'
import { pruneRateWindows } from '../quota/index.ts'
import type { Job } from './job.ts'

/** Forgets what nobody can need any more: notes of changes that every process has seen, and windows that have ended. */
export const pruneJob: Job = {
  name: 'prune',
  everySeconds: 600,
  run: ({ database }) =>
    systemTransaction(database, 'maintain', async (tx) => {
      await pruneDirectoryChanges(tx)
      await pruneRateWindows(tx)
    }),
}
