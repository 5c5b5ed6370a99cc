import { picos, type Instant, type Log } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import { systemTransaction, type Database, type Tx } from '../db/index.ts'
import { settlePayments } from './book-payment.ts'
import { smallestUnit } from './currency.ts'
import type { InvoiceDifference } from './invoice-difference.ts'
import { compareInvoice, stateOf, type InvoiceState } from './invoice-there.ts'
import { pricedLines } from './issued-document.ts'
import type { InvoiceThere, MoneySink } from './money-sink.ts'
import { comparePrice } from './price-shape.ts'
import { appendPayment, loadPayments, reversePayment } from './store-payment.ts'
import { findCustomer } from './store-stripe.ts'
import {
  findOutboxInvoice,
  hereOf,
  loadIssued,
  lockLooks,
  writeDifferences,
  writeLook,
  type IssuedDocument,
  type OutboxInvoice,
} from './store-stripe-invoice.ts'
import { loadShapes } from './store-stripe-price.ts'

/** Others who look at the same document at the same time make a look begin anew; they are few. */
export const looksMax = 8

export interface LookNeeds {
  readonly database: Database
  readonly sink: MoneySink
  readonly log: Log
  readonly now: () => Instant
}

/**
 * Looks at a document at the service, and writes what is seen. Returns it as it is now; undefined when it is not there, or when
 * others were always quicker.
 */
export async function lookAtDocument(needs: LookNeeds, known: OutboxInvoice): Promise<OutboxInvoice | undefined> {
  const inSystem = <T>(work: (tx: Tx) => Promise<T>) => systemTransaction(needs.database, 'sync-billing', work)
  let row: OutboxInvoice | undefined = known
  for (let look = 0; look < looksMax; look++) {
    if (row?.stripeInvoice === undefined) return undefined
    const seen: OutboxInvoice = row
    const there = await needs.sink.readDocument(seen.kind, row.stripeInvoice)
    const state = await inSystem((tx) => writeSeen(tx, seen, { there, now: needs.now() }))
    if (state !== 'moved') {
      tell(needs.log, seen, state)
      return { ...seen, state, looks: seen.looks + 1 }
    }
    row = await inSystem((tx) => findOutboxInvoice(tx, seen))
  }
  return undefined
}

/**
 * Writes what was seen of a document: its state, where it differs, and the payments that the journal lacks, or has too many of.
 * `moved`: somebody else has written a look since this one was begun, which may be older than theirs; nothing is written then.
 * So a state never goes back to what it was, in whatever order events arrive.
 */
export async function writeSeen(
  tx: Tx,
  row: OutboxInvoice,
  { there, now }: { there: InvoiceThere | undefined; now: Instant },
): Promise<InvoiceState | 'moved'> {
  if ((await lockLooks(tx, row)) !== row.looks) return 'moved'
  if (there === undefined) {
    await writeDifferences(tx, row, { differences: [], now })
    const nothing = { stripeInvoice: undefined, totalMinor: undefined, collectedMinor: 0n }
    await writeLook(tx, row, { ...nothing, status: 'deleted', state: 'open', now })
    return 'open'
  }
  const issued = await loadIssued(tx, row)
  const customer = (await findCustomer(tx, row.tenantId)) ?? ''
  const differences = compareInvoice(hereOf(row, issued, customer), there)
  const state = stateOf(there, differences)
  const byPrice = await differencesByPrice(tx, row, issued)
  await writeDifferences(tx, row, { differences: [...(state === 'open' ? [] : differences), ...byPrice], now })
  // Money for something else than our invoice is not booked on it: somebody has to see what it is first.
  if (state !== 'disagrees') {
    const document = { ...row, license: issued.license, periodStart: issued.periodStart }
    const collected = picos(there.collectedMinor * smallestUnit(row.currency))
    const { reverse, pay } = settlePayments(await loadPayments(tx, row), collected)
    for (const payment of reverse) await reversePayment(tx, document, { payment, now })
    if (pay > 0n) await appendPayment(tx, document, { amount: pay, now })
    if (reverse.length > 0 || pay > 0n) await noteInAudit(tx, row, { state, there, now })
  }
  const { id: stripeInvoice, status, totalMinor, collectedMinor } = there
  await writeLook(tx, row, { stripeInvoice, status, state, totalMinor, collectedMinor, now })
  return state
}

/** What the prices there would make of our lines. It changes no state: the invoice there has our amounts. */
async function differencesByPrice(
  tx: Tx,
  { kind, currency }: OutboxInvoice,
  { document }: IssuedDocument,
): Promise<readonly InvoiceDifference[]> {
  if (kind === 'credit_note' || document.kind === 'credit_note') return []
  const lines = pricedLines(document)
  const shapes = await loadShapes(
    tx,
    lines.map(({ lookupKey }) => lookupKey),
  )
  return lines.flatMap((line) => {
    const shape = shapes.get(line.lookupKey)
    return shape === undefined ? [] : comparePrice(line, shape, currency)
  })
}

const noteInAudit = (
  tx: Tx,
  row: OutboxInvoice,
  { state, there, now }: { state: InvoiceState; there: InvoiceThere; now: Instant },
) =>
  appendAuditEntry(tx, {
    tenantId: row.tenantId,
    at: now,
    action: 'invoice.payment',
    agent: { kind: 'system', name: 'stripe', roles: [] },
    entity: { type: 'invoice', id: row.invoice },
    outcome: 'done',
    reason: undefined,
    facts: { state, collectedMinor: String(there.collectedMinor), currency: row.currency },
  })

/** Told once, when it becomes so. */
export function tell(log: Log, row: OutboxInvoice, state: InvoiceState): void {
  if (state === row.state) return
  if (state === 'disagrees') log.error('stripe.invoice_disagrees', { invoice: row.invoice })
  else if (state === 'void' || state === 'uncollectible')
    log.warn('stripe.invoice_not_paid', { invoice: row.invoice, state })
}
