import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, areTwoPeople, type Actor } from '../identity/index.ts'
import { findLicenseRow } from '../licensing/index.ts'
import { appendCreditNote } from './credit-invoice.ts'
import { monthName, type Period } from './month.ts'
import { appendReopening, loadPeriods, loadStandingClosings, lockPeriodsOf, setPeriodState } from './store-period.ts'

export type ReopenRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'period_not_closed'; license: string; period: Period }
  | { reason: 'later_period_closed'; license: string; period: Period; later: Period }
  | { reason: 'second_person_missing'; license: string; period: Period; invoice: string | undefined }
  | { reason: 'reason_missing' }

export interface Reopened {
  readonly tenant: string
  readonly creditNote: string | undefined
}

/**
 * Opens a closed month again: two people, one reason. Its invoice is taken back whole by a credit note, unless that was
 * done before; its rows are frozen anew when it is closed the next time. Only the last closed month of a license can be
 * opened: those after it have counted corrections and credit from it.
 */
export async function reopenPeriod(
  tx: Tx,
  wish: {
    license: string
    period: Period
    reason: string
    actor: Actor
    approvedBy: Actor | undefined
    now: Instant
  },
): Promise<Result<Reopened, ReopenRefusal>> {
  const { license, period, reason, actor, approvedBy, now } = wish
  if (reason.trim() === '') return err({ reason: 'reason_missing' })
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const month = { tenantId: row.tenantId, license, period }
  await lockPeriodsOf(tx, row.tenantId)
  const later = (await loadPeriods(tx, month)).find((one) => one.state !== 'open' && one.period.start > period.start)
  const standing = (await loadStandingClosings(tx, month)).find((one) => one.period.start === period.start)
  if (standing === undefined) return err({ reason: 'period_not_closed', license, period })
  if (later !== undefined) return err({ reason: 'later_period_closed', license, period, later: later.period })
  // Asked last: nobody is to look for a second person for what cannot be done.
  if (!areTwoPeople(actor, approvedBy))
    return err({ reason: 'second_person_missing', license, period, invoice: standing.invoice })
  const credited =
    standing.invoice === undefined
      ? undefined
      : await appendCreditNote(tx, { number: standing.invoice, reason, actor, now })
  const creditNote = credited?.ok === true ? credited.value.number : undefined
  await appendReopening(tx, month, {
    closing: standing.closing,
    at: now,
    by: actor.name,
    approvedBy: approvedBy.name,
    reason,
    creditNote,
  })
  await setPeriodState(tx, month, 'open')
  await appendAuditEntry(tx, {
    tenantId: row.tenantId,
    at: now,
    action: 'period.reopen',
    agent: agentOf(actor),
    approvedBy: agentOf(approvedBy),
    entity: { type: 'period', id: `${license}/${monthName(period)}`, revision: String(standing.closing) },
    outcome: 'done',
    reason,
    facts: { creditNote: creditNote ?? '' },
  })
  return ok({ tenant: row.tenant, creditNote })
}
