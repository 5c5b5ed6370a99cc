import { picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { opposite, type Posting } from './book-invoice.ts'
import { bookPayment, type BookedPayment } from './book-payment.ts'

/** The document that was paid, as the journal names it. */
export interface PaidDocument {
  readonly tenantId: Uuid
  readonly invoice: string
  readonly license: string
  readonly periodStart: Instant
  readonly currency: string
}

/** Payments of a document that nothing has reversed, in the order in which they were booked. */
export async function loadPayments(
  tx: Tx,
  of: Pick<PaidDocument, 'tenantId' | 'invoice'>,
): Promise<readonly BookedPayment[]> {
  const rows = await tx
    .selectFrom('journal_entry as e')
    .innerJoin('posting as p', (join) =>
      join.onRef('p.tenant_id', '=', 'e.tenant_id').onRef('p.entry_id', '=', 'e.entry_id').on('p.account', '=', 'bank'),
    )
    .select(['e.entry_id', 'p.amount_picos'])
    .where('e.tenant_id', '=', of.tenantId)
    .where('e.document', '=', of.invoice)
    .where('e.kind', '=', 'payment')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('journal_entry as r')
            .select('r.entry_id')
            .whereRef('r.tenant_id', '=', 'e.tenant_id')
            .whereRef('r.reverses', '=', 'e.entry_id'),
        ),
      ),
    )
    .orderBy('e.entry_id')
    .execute()
  return rows.map((row) => ({ entryId: row.entry_id, amount: picos(BigInt(row.amount_picos)) }))
}

export const appendPayment = (tx: Tx, of: PaidDocument, { amount, now }: { amount: Picos; now: Instant }) =>
  appendEntry(tx, of, { kind: 'payment', reverses: undefined, postings: bookPayment(amount), now })

export const reversePayment = (tx: Tx, of: PaidDocument, { payment, now }: { payment: BookedPayment; now: Instant }) =>
  appendEntry(tx, of, {
    kind: 'payment_reversal',
    reverses: payment.entryId,
    postings: opposite(bookPayment(payment.amount)),
    now,
  })

async function appendEntry(
  tx: Tx,
  of: PaidDocument,
  entry: {
    kind: 'payment' | 'payment_reversal'
    reverses: Uuid | undefined
    postings: readonly Posting[]
    now: Instant
  },
): Promise<void> {
  const { entry_id: entryId } = await tx
    .insertInto('journal_entry')
    .values({
      tenant_id: of.tenantId,
      recorded_by: 'stripe',
      at: new Date(entry.now),
      kind: entry.kind,
      license: of.license,
      period_start: new Date(of.periodStart),
      document: of.invoice,
      postings: entry.postings.length,
      reverses: entry.reverses ?? null,
    })
    .returning('entry_id')
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('posting')
    .values(
      entry.postings.map(({ account, amount }, at) => ({
        tenant_id: of.tenantId,
        entry_id: entryId,
        posting: at + 1,
        account,
        sku: null,
        currency: of.currency,
        amount_picos: amount,
      })),
    )
    .execute()
}
