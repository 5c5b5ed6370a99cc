import { plusDays, plusMs, type Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { smallestUnit } from './currency.ts'
import { readOutboxRow, type OutboxInvoice } from './store-stripe-invoice.ts'

/** Documents that get their row in one run. */
const issuedPerRunMax = 500

/** Hours after which what waits for a payment is looked at without an event; and what is paid, where money may go back. */
const lookAgainHours = { open: 6, paid: 24 }
/** A card can be charged back for so long (docs.stripe.com/disputes/how-disputes-work). */
const moneyGoesBackDays = 120

/** A row for each document that was issued and has none: what is to be pushed. Returns how many. */
export async function writeIssued(tx: Tx, now: Instant): Promise<number> {
  const issued = await tx
    .selectFrom('invoice as i')
    .leftJoin('stripe_invoice as s', (join) =>
      join.onRef('s.tenant_id', '=', 'i.tenant_id').onRef('s.invoice', '=', 'i.number'),
    )
    .select(['i.tenant_id', 'i.number', 'i.currency', 'i.total_picos', 'i.credits'])
    .where('s.invoice', 'is', null)
    .orderBy('i.issued_at')
    .orderBy('i.number')
    .limit(issuedPerRunMax)
    .execute()
  if (issued.length === 0) return 0
  await tx
    .insertInto('stripe_invoice')
    .values(
      issued.map((one) => {
        const totalMinor = BigInt(one.total_picos) / smallestUnit(one.currency)
        return {
          tenant_id: one.tenant_id,
          invoice: one.number,
          // What takes back an invoice of less than nothing asks for money: it is an invoice there.
          kind: one.credits !== null && totalMinor < 0n ? 'credit_note' : 'invoice',
          currency: one.currency,
          total_minor: totalMinor,
          written_at: new Date(now),
        }
      }),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return issued.length
}

/** What is to be pushed now, in the order in which it was issued: an invoice before what takes it back. */
export async function findDue(
  tx: Tx,
  of: { now: Instant; rowsMax: number },
): Promise<readonly (OutboxInvoice & { attempts: number })[]> {
  const at = new Date(of.now)
  const rows = await tx
    .selectFrom('stripe_invoice')
    .selectAll()
    .where('state', 'in', ['open', 'pushed'])
    .where((eb) => eb.or([eb('retry_at', 'is', null), eb('retry_at', '<=', at)]))
    .where((eb) => eb.or([eb('held_until', 'is', null), eb('held_until', '<=', at)]))
    .orderBy('kind', 'desc')
    .orderBy('written_at')
    .orderBy('invoice')
    .limit(of.rowsMax)
    .execute()
  return rows.map((row) => ({ ...readOutboxRow(row), attempts: row.attempts }))
}

/** What has not been looked at for long, and may have been paid, given up or given back without our hearing of it. */
export async function findToLookAt(tx: Tx, of: { now: Instant; rowsMax: number }): Promise<readonly OutboxInvoice[]> {
  const before = (hours: number) => new Date(plusMs(of.now, -hours * 3_600_000))
  const rows = await tx
    .selectFrom('stripe_invoice')
    .selectAll()
    .where('stripe_invoice', 'is not', null)
    .where((eb) =>
      eb.or([
        eb.and([
          eb('state', 'in', ['final', 'uncollectible', 'disagrees']),
          eb('looked_at', '<', before(lookAgainHours.open)),
        ]),
        eb.and([
          eb('state', '=', 'paid'),
          eb('looked_at', '<', before(lookAgainHours.paid)),
          eb('written_at', '>', new Date(plusDays(of.now, -moneyGoesBackDays))),
        ]),
      ]),
    )
    .orderBy('looked_at')
    .limit(of.rowsMax)
    .execute()
  return rows.map(readOutboxRow)
}

/** The document, if it is this holder's now. A holder that died loses it when its time is up. */
export async function holdInvoice(
  tx: Tx,
  { tenantId, invoice }: OutboxInvoice,
  by: { holder: string; now: Instant; seconds: number },
): Promise<OutboxInvoice | undefined> {
  const row = await tx
    .updateTable('stripe_invoice')
    .set({ holder: by.holder, held_until: new Date(by.now + by.seconds * 1000) })
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .where((eb) => eb.or([eb('held_until', 'is', null), eb('held_until', '<=', new Date(by.now))]))
    .returningAll()
    .executeTakeFirst()
  return row && readOutboxRow(row)
}

/** How a push ended: zero seconds when there is nothing to try again. */
export interface PushEnd {
  readonly attempts: number
  readonly retrySeconds: number
  readonly lastError: string | undefined
}

export async function letGo(
  tx: Tx,
  { tenantId, invoice }: OutboxInvoice,
  end: PushEnd & { holder: string; now: Instant },
): Promise<void> {
  await tx
    .updateTable('stripe_invoice')
    .set({
      holder: null,
      held_until: null,
      attempts: end.attempts,
      retry_at: end.retrySeconds === 0 ? null : new Date(end.now + end.retrySeconds * 1000),
      last_error: end.lastError ?? null,
    })
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .where('holder', '=', end.holder)
    .execute()
}

/** Notes what the document is called there, if that is not known yet. Returns it as it is then. */
export async function noteThere(tx: Tx, { tenantId, invoice }: OutboxInvoice, id: string): Promise<OutboxInvoice> {
  const row = await tx
    .updateTable('stripe_invoice')
    .set((eb) => ({ stripe_invoice: eb.fn.coalesce('stripe_invoice', eb.val(id)) }))
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .returningAll()
    .executeTakeFirstOrThrow()
  return readOutboxRow(row)
}

export async function noteNothingToCredit(tx: Tx, { tenantId, invoice }: OutboxInvoice, now: Instant): Promise<void> {
  await tx
    .updateTable('stripe_invoice')
    .set({ state: 'void', status: 'nothing_to_credit', looked_at: new Date(now) })
    .where('tenant_id', '=', tenantId)
    .where('invoice', '=', invoice)
    .execute()
}
