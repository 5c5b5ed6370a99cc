import { syncUsage, type MoneySink } from '../billing/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Job } from './job.ts'

/** Tells Stripe the totals of ended hours, and reads back what it counts. It runs only where there is a key for Stripe. */
export const syncStripeJob = (options: { sink: MoneySink; holder: string; clock: Pick<Clock, 'now'> }): Job => ({
  name: 'sync-stripe',
  everySeconds: 60,
  run: ({ database, log }) =>
    syncUsage({ database, log, sink: options.sink, holder: options.holder, now: () => options.clock.now() }),
})
