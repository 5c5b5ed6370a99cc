import { err, ok, picos, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, type Actor } from '../identity/index.ts'
import { opposite } from './book-invoice.ts'
import { creditDocument } from './credit-document.ts'
import { appendInvoice, loadInvoices, loadLines, loadPostings, takeNumber } from './store-invoice.ts'

export type CreditRefusal =
  | { reason: 'invoice_not_found'; number: string }
  | { reason: 'invoice_credited'; number: string; by: string }
  | { reason: 'credit_note_credited'; number: string }
  | { reason: 'prepaid_credit_moved'; number: string }
  | { reason: 'reason_missing' }

/**
 * Takes an invoice back whole: a credit note with its lines the other way round, and the opposite entry in the journal. The
 * invoice itself stays as it was. Part of an invoice is not credited: what was wrong is corrected and invoiced again. An invoice
 * that moved prepaid credit is taken back by opening its month again, so that the credit is there again as well.
 */
export async function creditInvoice(
  tx: Tx,
  wish: { number: string; reason: string; actor: Actor; now: Instant },
): Promise<Result<{ number: string }, CreditRefusal>> {
  const [invoice] = await loadInvoices(tx, { number: wish.number })
  const lines = invoice === undefined ? [] : await loadLines(tx, invoice)
  return lines.some(({ kind }) => kind === 'credit_used' || kind === 'credit_bought')
    ? err({ reason: 'prepaid_credit_moved', number: wish.number })
    : appendCreditNote(tx, wish)
}

/** The same, whatever its lines are: for who opens the month again, and settles its credit anew. */
export async function appendCreditNote(
  tx: Tx,
  wish: { number: string; reason: string; actor: Actor; now: Instant },
): Promise<Result<{ number: string }, CreditRefusal>> {
  const { reason, actor, now } = wish
  if (reason.trim() === '') return err({ reason: 'reason_missing' })
  const [invoice] = await loadInvoices(tx, { number: wish.number })
  if (invoice === undefined) return err({ reason: 'invoice_not_found', number: wish.number })
  if (invoice.credits !== undefined) return err({ reason: 'credit_note_credited', number: wish.number })
  if (invoice.creditedBy !== undefined)
    return err({ reason: 'invoice_credited', number: wish.number, by: invoice.creditedBy })
  const lines = await loadLines(tx, invoice)
  // Of two who credit one invoice at once, the second is stopped by invoice_is_credited_once, and takes no number with it.
  const { number, sequence } = await takeNumber(tx, 'CRN')
  await appendInvoice(tx, {
    tenantId: invoice.tenantId,
    series: 'CRN',
    number,
    sequence,
    license: invoice.license,
    periodStart: invoice.periodStart,
    closing: invoice.closing,
    issuedAt: now,
    issuedBy: actor.name,
    currency: invoice.currency,
    total: picos(0n - invoice.total),
    credits: { number: invoice.number, entryId: invoice.entryId },
    document: creditDocument(invoice.document, { number, issuedAt: now, reason }),
    lines: lines.map((line) => ({ ...line, quantity: -line.quantity, amount: picos(0n - line.amount) })),
    postings: opposite(await loadPostings(tx, invoice)),
  })
  await appendAuditEntry(tx, {
    tenantId: invoice.tenantId,
    at: now,
    action: 'invoice.credit',
    agent: agentOf(actor),
    entity: { type: 'invoice', id: invoice.number },
    outcome: 'done',
    reason,
    facts: { creditNote: number },
  })
  return ok({ number })
}
