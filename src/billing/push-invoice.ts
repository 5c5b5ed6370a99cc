import { systemTransaction } from '../db/index.ts'
import type { InvoiceLine, PushedInvoice } from './money-sink.ts'
import { noteInvoice, writeInvoice } from './store-stripe.ts'
import { customerOf, type SyncNeeds } from './sync-usage.ts'

export interface InvoiceToPush {
  readonly tenantId: string
  readonly tenantName: string
  readonly invoice: string
  readonly currency: string
  readonly lines: readonly InvoiceLine[]
}

/** Brings an invoice to the service and notes what became of it. May be repeated until it is done. */
export async function pushInvoice(
  needs: Pick<SyncNeeds, 'database' | 'sink' | 'now'>,
  { tenantId, tenantName, invoice, currency, lines }: InvoiceToPush,
): Promise<PushedInvoice> {
  const totalMinor = lines.reduce((sum, line) => sum + line.amountMinor, 0n)
  const customer = await customerOf(needs, { tenantId, name: tenantName })
  const idempotencyKey = await systemTransaction(needs.database, 'sync-billing', (tx) =>
    writeInvoice(tx, { tenantId, invoice, currency, totalMinor, now: needs.now() }),
  )
  const pushed = await needs.sink.pushInvoice({ invoice, customer, currency, lines, idempotencyKey })
  await systemTransaction(needs.database, 'sync-billing', (tx) =>
    noteInvoice(tx, { tenantId, invoice, stripeInvoice: pushed.id, status: pushed.status }),
  )
  return pushed
}
