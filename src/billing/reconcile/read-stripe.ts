import type { Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import type { Period } from '../month.ts'
import { findReadings, keepHours, keepLines } from '../store-compare-stripe.ts'
import type { StripeBooks } from './stripe-books.ts'

/** Reads what Stripe counts in a month's hours, and the lines of the month's invoices there, and keeps both. */
export async function readStripe(
  needs: { database: Database; stripe: StripeBooks },
  { period, now }: { period: Period; now: Instant },
): Promise<void> {
  const { database, stripe } = needs
  const { lanes, invoices } = await systemTransaction(database, 'sync-billing', (tx) => findReadings(tx, period))
  for (const { tenantId, meter, customer, meterId } of lanes) {
    const hours = await stripe.readUsage({ customer, meterId, from: period.start, to: period.end })
    await systemTransaction(database, 'sync-billing', (tx) => keepHours(tx, { tenantId, meter, period, hours, now }))
  }
  for (const { tenantId, invoice, stripeInvoice } of invoices) {
    const lines = await stripe.readLines(stripeInvoice)
    await systemTransaction(database, 'sync-billing', (tx) => keepLines(tx, { tenantId, invoice, lines, now }))
  }
}
