import { pushInvoices, syncUsage, type MoneySink } from '../billing/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Job } from './job.ts'

/**
 * Tells Stripe the totals of ended hours, and reads back what it counts; brings it the invoices, and looks at what became of
 * them. It runs only where there is a key for Stripe.
 */
export const syncStripeJob = (options: { sink: MoneySink; holder: string; clock: Pick<Clock, 'now'> }): Job => ({
  name: 'sync-stripe',
  everySeconds: 60,
  async run({ database, log }) {
    const { sink, holder, clock } = options
    const needs = { database, log, sink, holder, now: () => clock.now() }
    // Invoices first: a meter that Stripe refuses holds none of them up.
    await pushInvoices(needs)
    await syncUsage(needs)
  },
})
