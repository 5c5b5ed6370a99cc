import { sql, type Selectable } from 'kysely'
import { z } from 'zod'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { DB, Tx } from '../db/index.ts'
import { linesToPush } from './issued-document.ts'
import type { InvoiceDifference } from './invoice-difference.ts'
import { invoiceStates, type InvoiceHere, type InvoiceState } from './invoice-there.ts'
import { readDocument, type InvoiceDocument } from './read-document.ts'

export const InvoiceStateOf = z.enum(invoiceStates)
const Kind = z.enum(['invoice', 'credit_note'])

/** An invoice or credit note of ours on its way to the service, or there. */
export interface OutboxInvoice {
  readonly tenantId: Uuid
  readonly invoice: string
  readonly kind: 'invoice' | 'credit_note'
  readonly stripeInvoice: string | undefined
  readonly idempotencyKey: string
  readonly currency: string
  readonly totalMinor: bigint
  readonly state: InvoiceState
  readonly looks: number
}

export async function findOutboxInvoice(
  tx: Tx,
  of: { readonly tenantId: Uuid; readonly invoice: string },
): Promise<OutboxInvoice | undefined> {
  const row = await tx
    .selectFrom('stripe_invoice')
    .selectAll()
    .where('tenant_id', '=', of.tenantId)
    .where('invoice', '=', of.invoice)
    .executeTakeFirst()
  return row && readOutboxRow(row)
}

/** By what the service calls it. */
export async function findByStripeId(tx: Tx, stripeInvoice: string): Promise<OutboxInvoice | undefined> {
  const row = await tx
    .selectFrom('stripe_invoice')
    .selectAll()
    .where('stripe_invoice', '=', stripeInvoice)
    .executeTakeFirst()
  return row && readOutboxRow(row)
}

export const readOutboxRow = (row: Selectable<DB['stripe_invoice']>): OutboxInvoice => ({
  tenantId: row.tenant_id,
  invoice: row.invoice,
  kind: Kind.parse(row.kind),
  stripeInvoice: row.stripe_invoice ?? undefined,
  idempotencyKey: row.idempotency_key,
  currency: row.currency,
  totalMinor: row.total_minor,
  state: InvoiceStateOf.parse(row.state),
  looks: row.looks,
})

/** How often it has been looked at until now; whoever looks at the same time waits here. */
export async function lockLooks(tx: Tx, { tenantId, invoice }: { tenantId: Uuid; invoice: string }): Promise<number> {
  const { looks } = await tx
    .selectFrom('stripe_invoice')
    .select('looks')
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .forUpdate()
    .executeTakeFirstOrThrow()
  return looks
}

/** Our document as it is issued, and whose it is. */
export interface IssuedDocument {
  readonly license: string
  readonly periodStart: Instant
  readonly tenantName: string
  readonly entryId: Uuid
  /** Of a credit note: the invoice that it takes back. */
  readonly credits: string | undefined
  readonly document: InvoiceDocument
}

export async function loadIssued(tx: Tx, of: { tenantId: Uuid; invoice: string }): Promise<IssuedDocument> {
  const row = await tx
    .selectFrom('invoice')
    .innerJoin('tenant', 'tenant.tenant_id', 'invoice.tenant_id')
    .select(['license', 'period_start', 'entry_id', 'credits', 'document', 'tenant.name'])
    .where('invoice.tenant_id', '=', of.tenantId)
    .where('number', '=', of.invoice)
    .executeTakeFirstOrThrow()
  return {
    license: row.license,
    periodStart: instantOf(row.period_start),
    tenantName: row.name,
    entryId: row.entry_id,
    credits: row.credits ?? undefined,
    document: readDocument(row.document),
  }
}

/** What is to stand at the service. A credit note there is one amount. */
export const hereOf = (row: OutboxInvoice, issued: IssuedDocument, customer: string): InvoiceHere => ({
  kind: row.kind,
  customer,
  currency: row.currency,
  totalMinor: row.totalMinor,
  lines: row.kind === 'credit_note' ? [{ line: 'total', amountMinor: row.totalMinor }] : linesToPush(issued.document),
})

export async function writeLook(
  tx: Tx,
  { tenantId, invoice }: { tenantId: Uuid; invoice: string },
  look: {
    stripeInvoice: string | undefined
    status: string
    state: InvoiceState
    totalMinor: bigint | undefined
    collectedMinor: bigint
    now: Instant
  },
): Promise<void> {
  await tx
    .updateTable('stripe_invoice')
    .set((eb) => ({
      stripe_invoice: look.stripeInvoice ?? null,
      // The service answers a key of what was deleted as it did before.
      ...(look.stripeInvoice === undefined ? { idempotency_key: sql<string>`gen_random_uuid()` } : {}),
      status: look.status,
      state: look.state,
      total_there_minor: look.totalMinor ?? null,
      paid_minor: look.collectedMinor,
      looks: eb('looks', '+', 1),
      looked_at: new Date(look.now),
    }))
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .execute()
}

/** Notes what differs now, and ends what differed before and does so no longer. */
export async function writeDifferences(
  tx: Tx,
  { tenantId, invoice }: { tenantId: Uuid; invoice: string },
  { differences, now }: { differences: readonly InvoiceDifference[]; now: Instant },
): Promise<void> {
  const at = new Date(now)
  await tx
    .updateTable('stripe_difference')
    .set({ ended_at: at })
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .where('ended_at', 'is', null)
    .$if(differences.length > 0, (query) =>
      query.where((eb) =>
        eb.not(eb.or(differences.map((one) => eb.and([eb('line', '=', one.line), eb('class', '=', one.class)])))),
      ),
    )
    .execute()
  for (const one of differences)
    await tx
      .insertInto('stripe_difference')
      .values({ tenant_id: tenantId, invoice, ...one, found_at: at })
      .onConflict((conflict) =>
        conflict
          .columns(['tenant_id', 'invoice', 'line', 'class'])
          .doUpdateSet({ here: one.here, there: one.there, ended_at: null }),
      )
      .execute()
}
