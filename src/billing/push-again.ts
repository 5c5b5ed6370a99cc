import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, type Actor } from '../identity/index.ts'
import type { InvoiceState } from './invoice-there.ts'
import { findOutboxByNumber, pushAgainNow, writeIssued } from './store-stripe-push.ts'

export type PushRefusal =
  | { reason: 'document_not_found'; number: string }
  | { reason: 'document_is_there'; number: string; state: InvoiceState }

/**
 * Has a document pushed with the next run, whatever it was to wait for: after an outage, and when what stood there and was not
 * ours has been mended. One that is there and ours needs no push.
 */
export async function pushAgain(
  tx: Tx,
  wish: { number: string; actor: Actor; now: Instant },
): Promise<Result<{ number: string; state: 'open' }, PushRefusal>> {
  const { number, actor, now } = wish
  await writeIssued(tx, now)
  const row = await findOutboxByNumber(tx, number)
  if (row === undefined) return err({ reason: 'document_not_found', number })
  if (row.state !== 'open' && row.state !== 'pushed' && row.state !== 'disagrees')
    return err({ reason: 'document_is_there', number, state: row.state })
  await pushAgainNow(tx, row)
  await appendAuditEntry(tx, {
    tenantId: row.tenantId,
    at: now,
    action: 'invoice.push',
    agent: agentOf(actor),
    entity: { type: 'invoice', id: number },
    outcome: 'done',
    reason: undefined,
    facts: { was: row.state },
  })
  return ok({ number, state: 'open' })
}
