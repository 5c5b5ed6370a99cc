import { ensureMonthsJob } from './ensure-months.ts'
import { expireInstancesJob } from './expire-instances.ts'
import type { Job } from './job.ts'
import { pruneJob } from './prune.ts'
import { unfoldStragglersJob } from './unfold-stragglers.ts'

/** The table of recurring jobs. */
export const jobsFor = (options: Parameters<typeof expireInstancesJob>[0]): readonly Job[] => [
  expireInstancesJob(options),
  unfoldStragglersJob,
  ensureMonthsJob,
  pruneJob,
]
export { syncStripeJob } from './sync-stripe.ts'
export { runJobs } from './run-jobs.ts'
export type { Job } from './job.ts'
