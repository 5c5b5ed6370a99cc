import type { Instant, Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { RejectedReport } from './money-sink.ts'

/** `done`: acted on. `not_ours`: about something that we did not make. `ignored`: of a kind that concerns nothing here. */
export type EventOutcome = 'done' | 'ignored' | 'not_ours'

export async function findEvent(tx: Tx, eventId: string): Promise<string | undefined> {
  const row = await tx.selectFrom('stripe_event').select('outcome').where('event_id', '=', eventId).executeTakeFirst()
  return row?.outcome
}

/** Notes a delivery. False when it was noted before: then nothing is to be done again. Of two at once one waits here. */
export async function noteEvent(
  tx: Tx,
  of: { eventId: string; type: string; about: string | undefined; outcome: EventOutcome; now: Instant },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('stripe_event')
    .values({
      event_id: of.eventId,
      type: of.type,
      about: of.about ?? null,
      outcome: of.outcome,
      received_at: new Date(of.now),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Ends reports that the service took and does not count. What is confirmed has been seen in its summaries. */
export async function rejectReport(tx: Tx, rejected: RejectedReport, now: Instant): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('stripe_usage')
    .set({ state: 'refused', refused_code: rejected.code, ended_at: new Date(now) })
    .where('identifier', '=', rejected.identifier)
    .where('state', 'in', ['pending', 'sent'])
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The tenant whose customer it is. */
export async function findTenantOf(tx: Tx, customer: string): Promise<Uuid | undefined> {
  const row = await tx
    .selectFrom('stripe_customer')
    .select('tenant_id')
    .where('customer', '=', customer)
    .executeTakeFirst()
  return row?.tenant_id
}

export async function noteCustomerGone(tx: Tx, customer: string, now: Instant): Promise<void> {
  await tx
    .updateTable('stripe_customer')
    .set({ gone_at: new Date(now) })
    .where('customer', '=', customer)
    .where('gone_at', 'is', null)
    .execute()
}
