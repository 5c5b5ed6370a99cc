import { assert, Failure } from '../kernel/index.ts'
import { systemTransaction, type Tx } from '../db/index.ts'
import { ensurePrices } from './ensure-prices.ts'
import type { InvoiceState } from './invoice-there.ts'
import { linesToPush, soldIn } from './issued-document.ts'
import { lookAtDocument } from './look-at-document.ts'
import { findOutboxInvoice, type IssuedDocument, type OutboxInvoice } from './store-stripe-invoice.ts'
import { noteNothingToCredit, noteThere } from './store-stripe-push.ts'
import { customerOf, type SyncNeeds } from './sync-usage.ts'

/** `waiting`: a credit note whose invoice is not final there yet. */
export type Pushed = InvoiceState | 'waiting'

/** A document that is held, with what it says, and the tenant's customer, if there is one already. */
export interface HeldDocument {
  readonly row: OutboxInvoice
  readonly issued: IssuedDocument
  readonly customer: string | undefined
}

/**
 * Brings an invoice or a credit note to the service: a draft with all its lines, which is read back and compared with ours, and
 * only then made final, and read back once more. A crash at any point leaves what the next push finds and goes on from.
 * @throws Failure when the service is away; what it refused as it is.
 */
export async function pushInvoice(needs: SyncNeeds, held: HeldDocument): Promise<Pushed> {
  const { row, issued } = held
  if (row.kind === 'credit_note') return pushCredit(needs, held)
  const { invoice, currency, idempotencyKey, tenantId } = row
  const customer = held.customer ?? (await customerOf(needs, { tenantId, name: issued.tenantName }))
  await ensurePrices(needs, soldIn(issued.document))
  const lines = linesToPush(issued.document)
  const id = await needs.sink.draftInvoice({ invoice, customer, currency, lines, idempotencyKey })
  const drafted = await look(needs, await inSystem(needs, (tx) => noteThere(tx, row, id)))
  if (drafted.state !== 'pushed') return drafted.state
  await needs.sink.finalizeInvoice(id, idempotencyKey)
  return (await look(needs, drafted)).state
}

async function pushCredit(needs: SyncNeeds, { row, issued }: HeldDocument): Promise<Pushed> {
  const { credits } = issued
  assert(credits !== undefined, 'a credit note credits an invoice')
  const taken = await inSystem(needs, (tx) => findOutboxInvoice(tx, { tenantId: row.tenantId, invoice: credits }))
  if (taken?.stripeInvoice === undefined) return 'waiting'
  switch (taken.state) {
    case 'open':
    case 'pushed':
    case 'disagrees':
      return 'waiting'
    case 'void':
      // Nothing is asked for there any more.
      await inSystem(needs, (tx) => noteNothingToCredit(tx, row, needs.now()))
      return 'void'
    case 'final':
    case 'paid':
    case 'uncollectible': {
      const id = await needs.sink.issueCredit({
        invoice: row.invoice,
        credits: taken.stripeInvoice,
        amountMinor: 0n - row.totalMinor,
        reason: issued.document.reason ?? '',
        idempotencyKey: row.idempotencyKey,
      })
      const noted = await inSystem(needs, (tx) => noteThere(tx, row, id))
      // What is due of the invoice is another sum now, and it may be settled.
      await lookAtDocument(needs, taken)
      return (await look(needs, noted)).state
    }
  }
}

async function look(needs: SyncNeeds, row: OutboxInvoice): Promise<OutboxInvoice> {
  const seen = await lookAtDocument(needs, row)
  if (seen === undefined || seen.state === 'open')
    throw new Failure('stripe', `invoice ${row.invoice} is not wholly there`, { retryable: true })
  return seen
}

const inSystem = <T>({ database }: Pick<SyncNeeds, 'database'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  systemTransaction(database, 'sync-billing', work)
