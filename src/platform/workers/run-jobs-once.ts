import { jobsFor, syncStripeJob } from '../../jobs/index.ts'
import { Failure } from '../../kernel/index.ts'
import type { Env } from './config.ts'
import { openRequestDatabase, requireBoundRoleOnce, stripeDoor, type Isolate } from './serve-request.ts'
import { workersClock } from './ports.ts'

/** Every job of the table once: the sweep of what dead calls held, the ledger's next months, what may be forgotten. */
export async function runJobsOnce(isolate: Isolate, env: Env): Promise<void> {
  const { log, config } = isolate
  const database = openRequestDatabase(env)
  try {
    await requireBoundRoleOnce(isolate, database)
    const stripe = stripeDoor(config)
    const jobs = [
      ...jobsFor({ leaseSeconds: config.LEASE_SECONDS, clock: workersClock, isRunOnce: true }),
      ...(stripe === undefined
        ? []
        : [syncStripeJob({ sink: stripe.sink, holder: crypto.randomUUID(), clock: workersClock })]),
    ]
    for (const job of jobs)
      await job.run({ database, log }).catch((error: unknown) => {
        if (error instanceof Failure) log.warn('job.failed', { job: job.name, why: error.message })
        else log.error('job.broke', { job: job.name }, error)
      })
  } finally {
    await database.close()
  }
}
