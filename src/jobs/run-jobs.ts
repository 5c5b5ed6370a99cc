import { Failure } from '../kernel/index.ts'
import type { Job, JobNeeds } from './job.ts'

/** Runs each job at once and then at its interval, one run of a job at a time. Returns the way to stop them. */
export function runJobs(needs: JobNeeds, jobs: readonly Job[]): { stop(): Promise<void> } {
  const running = new Map<Job, Promise<void>>()
  const start = (job: Job) => {
    if (running.has(job)) return
    const run = job
      .run(needs)
      .catch((error: unknown) => {
        // An outage of the database is noted elsewhere; the next run tries again.
        if (!(error instanceof Failure)) needs.log.error('job.broke', { job: job.name }, error)
      })
      .finally(() => running.delete(job))
    running.set(job, run)
  }
  const timers = jobs.map((job) => setInterval(() => start(job), job.everySeconds * 1000))
  for (const job of jobs) start(job)
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await Promise.all(running.values())
    },
  }
}
