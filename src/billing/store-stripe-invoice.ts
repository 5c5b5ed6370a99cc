import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { invoiceStates, type InvoiceDifference, type InvoiceHere, type InvoiceState } from './invoice-there.ts'
import type { InvoiceLine } from './money-sink.ts'
import { readDocument } from './read-document.ts'

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

/** One by what the service calls it, or by what we do. */
export async function findOutboxInvoice(
  tx: Tx,
  by: { readonly stripeInvoice: string } | { readonly tenantId: Uuid; readonly invoice: string },
): Promise<OutboxInvoice | undefined> {
  const row = await tx
    .selectFrom('stripe_invoice')
    .selectAll()
    .where((eb) =>
      'stripeInvoice' in by
        ? eb('stripe_invoice', '=', by.stripeInvoice)
        : eb.and([eb('tenant_id', '=', by.tenantId), eb('invoice', '=', by.invoice)]),
    )
    .executeTakeFirst()
  return (
    row && {
      tenantId: row.tenant_id,
      invoice: row.invoice,
      kind: Kind.parse(row.kind),
      stripeInvoice: row.stripe_invoice ?? undefined,
      idempotencyKey: row.idempotency_key,
      currency: row.currency,
      totalMinor: row.total_minor,
      state: InvoiceStateOf.parse(row.state),
      looks: row.looks,
    }
  )
}

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

/** Our document as it is issued: whose it is, and its lines by their numbers. */
export interface IssuedDocument {
  readonly license: string
  readonly periodStart: Instant
  readonly tenantName: string
  readonly entryId: Uuid
  /** Of a credit note: the invoice that it takes back. */
  readonly credits: string | undefined
  readonly reason: string | undefined
  readonly lines: readonly InvoiceLine[]
}

export async function loadIssued(tx: Tx, of: { tenantId: Uuid; invoice: string }): Promise<IssuedDocument> {
  const row = await tx
    .selectFrom('invoice')
    .innerJoin('tenant', 'tenant.tenant_id', 'invoice.tenant_id')
    .select(['license', 'period_start', 'entry_id', 'credits', 'document', 'tenant.name'])
    .where('invoice.tenant_id', '=', of.tenantId)
    .where('number', '=', of.invoice)
    .executeTakeFirstOrThrow()
  const { lines, reason } = readDocument(row.document)
  return {
    license: row.license,
    periodStart: instantOf(row.period_start),
    tenantName: row.name,
    entryId: row.entry_id,
    credits: row.credits ?? undefined,
    reason,
    lines: lines.map(({ line, description, amount }) => ({
      line: String(line),
      description,
      amountMinor: minorOf(amount),
    })),
  }
}

/** "1234.50" is 123450 cents: a document has every decimal of its currency. */
const minorOf = (amount: string): bigint => BigInt(amount.replace('.', ''))

/** What is to stand at the service. A credit note there is one amount. */
export const hereOf = (row: OutboxInvoice, issued: IssuedDocument, customer: string): InvoiceHere => ({
  kind: row.kind,
  customer,
  currency: row.currency,
  totalMinor: row.totalMinor,
  lines: row.kind === 'credit_note' ? [{ line: 'total', amountMinor: row.totalMinor }] : issued.lines,
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
