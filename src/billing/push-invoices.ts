import { Failure } from '../kernel/index.ts'
import { systemTransaction, type Tx } from '../db/index.ts'
import { lookAtDocument } from './look-at-document.ts'
import { isRefused } from './money-sink.ts'
import { pushInvoice, type HeldDocument, type Pushed } from './push-invoice.ts'
import { findCustomer } from './store-stripe.ts'
import { loadIssued, type OutboxInvoice } from './store-stripe-invoice.ts'
import { findDue, findToLookAt, holdInvoice, letGo, writeIssued, type PushEnd } from './store-stripe-push.ts'
import type { SyncNeeds } from './sync-usage.ts'

/** Longer than a push lasts, but for one of thousands of lines; another one beside it would do the same things once more. */
const holdSeconds = 600
const pushesPerRunMax = 50
const looksPerRunMax = 50
const retryFirstSeconds = 60
const retrySecondsMax = 6 * 3600

/**
 * One run of the invoices' outbox: writes what was issued, pushes what is due, one process at a time for each document, and
 * looks again at what waits for its payment, because webhooks get lost.
 */
export async function pushInvoices(needs: SyncNeeds): Promise<void> {
  const { due, old } = await inSystem(needs, async (tx) => {
    const now = needs.now()
    await writeIssued(tx, now)
    return {
      due: await findDue(tx, { now, rowsMax: pushesPerRunMax }),
      old: await findToLookAt(tx, { now, rowsMax: looksPerRunMax }),
    }
  })
  for (const row of due) await pushHeld(needs, row)
  for (const row of old)
    await lookAtDocument(needs, row).catch((error: unknown) => {
      needs.log.warn('stripe.look_failed', { invoice: row.invoice, why: wordsOf(error) })
      if (!isExpected(error)) throw error
    })
}

/** Undefined: another process is at it. A failure is noted and tried again later, each time after twice the time. */
export async function pushHeld(
  needs: SyncNeeds,
  row: OutboxInvoice & { attempts: number },
): Promise<Pushed | undefined> {
  const held = { holder: needs.holder, now: needs.now(), seconds: holdSeconds }
  const document = await inSystem(needs, async (tx): Promise<HeldDocument | undefined> => {
    const own = await holdInvoice(tx, row, held)
    return own && { row: own, issued: await loadIssued(tx, own), customer: await findCustomer(tx, own.tenantId) }
  })
  if (document === undefined) return undefined
  let end: PushEnd = { attempts: row.attempts, retrySeconds: 0, lastError: undefined }
  try {
    const pushed = await pushInvoice(needs, document)
    end = pushed === 'waiting' ? { ...end, retrySeconds: retryFirstSeconds } : { ...end, attempts: 0 }
    if (pushed !== row.state) needs.log.info('stripe.invoice_pushed', { invoice: row.invoice, state: pushed })
    return pushed
  } catch (error) {
    end = {
      attempts: row.attempts + 1,
      retrySeconds: Math.min(retrySecondsMax, retryFirstSeconds * 2 ** Math.min(row.attempts, 20)),
      lastError: wordsOf(error),
    }
    const facts = { invoice: row.invoice, attempts: end.attempts, why: wordsOf(error) }
    if (error instanceof Failure) needs.log.warn('stripe.push_failed', facts)
    else needs.log.error('stripe.push_refused', facts)
    if (!isExpected(error)) throw error
    return row.state
  } finally {
    await inSystem(needs, (tx) => letGo(tx, row, { holder: needs.holder, now: needs.now(), ...end }))
  }
}

/** Anything else is a bug of ours. */
const isExpected = (error: unknown): boolean => error instanceof Failure || isRefused(error)

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message.slice(0, 300) : 'unknown')

const inSystem = <T>({ database }: Pick<SyncNeeds, 'database'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  systemTransaction(database, 'sync-billing', work)
