import { assert, err, ok, type Instant, type Result, type StartSha256 } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import { systemTransaction, type Database, type Tx } from '../db/index.ts'
import { agentOf, type Actor } from '../identity/index.ts'
import { findLicenseRow, loadLicenses, type LicenseFacts } from '../licensing/index.ts'
import { untilUnfolded } from '../metering/index.ts'
import type { CheckedItem, CheckItem } from './checklist.ts'
import { freezeUsage, type FrozenUsage } from './freeze-usage.ts'
import { goThroughChecklist } from './go-through-checklist.ts'
import { noTax, type Tax } from './invoice.ts'
import { composeInvoice, issueInvoice } from './issue-invoice.ts'
import { firstMonth } from './license-months.ts'
import { conditionsOf, makeBasis } from './make-basis.ts'
import { monthName, type Month, type Period } from './month.ts'
import { loadPriceBook } from './store.ts'
import {
  appendClosing,
  freezePeriod,
  loadFacilitySpans,
  loadPeriods,
  loadStandingClosings,
  lockPeriodsOf,
  setPeriodState,
} from './store-period.ts'
import { readFrozen } from './store-read-frozen.ts'

export type CloseRefusal =
  | { reason: 'license_not_found'; license: string }
  | { reason: 'period_closed'; license: string; period: Period; invoice: string | undefined }
  | { reason: 'period_before_license'; license: string; period: Period; first: Period | undefined }
  | { reason: 'period_not_ready'; license: string; period: Period; checklist: readonly CheckedItem[] }
  | { reason: 'currencies_differ'; license: string; period: Period; currencies: readonly string[] }

export interface ClosingNeeds {
  readonly database: Database
  readonly startSha256: StartSha256
  readonly tax?: Tax | undefined
}

export interface Closed {
  readonly tenant: string
  readonly license: string
  readonly period: Period
  readonly closing: number
  readonly checklist: readonly CheckedItem[]
  readonly rows: bigint
  readonly usageSha256: string
  readonly lateRows: bigint
  readonly invoice: string | undefined
}

/**
 * Closes a month of a license: open, closing, closed. The first transaction goes through the checklist and draws the line
 * under the ledger; the second reads what lies before it, and writes hash, invoice and journal. A process that dies between
 * them leaves the month closing: closing it again goes on from the same line, and comes to the same invoice.
 */
export async function closePeriod(
  needs: ClosingNeeds,
  wish: { license: string; period: Period; reasons: ReadonlyMap<CheckItem, string>; actor: Actor; now: Instant },
): Promise<Result<Closed, CloseRefusal>> {
  await untilUnfolded(needs.database)
  const begun = await systemTransaction(needs.database, 'bill', (tx) => beginClosing(tx, wish))
  if (!begun.ok) return begun
  return systemTransaction(needs.database, 'bill', (tx) => finishClosing(tx, needs, { ...wish, ...begun.value }))
}

interface Begun {
  readonly month: Month
  readonly tenant: string
  readonly closing: number
  readonly checklist: readonly CheckedItem[]
}

async function beginClosing(
  tx: Tx,
  wish: { license: string; period: Period; reasons: ReadonlyMap<CheckItem, string>; actor: Actor; now: Instant },
): Promise<Result<Begun, CloseRefusal>> {
  const { license, period, reasons, actor, now } = wish
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const month = { tenantId: row.tenantId, license, period }
  await lockPeriodsOf(tx, row.tenantId)
  const facts = await requireFacts(tx, month)
  const first = firstMonth(facts)
  if (first === undefined || period.start < first.start)
    return err({ reason: 'period_before_license', license, period, first })
  const known = (await loadPeriods(tx, month)).find((one) => one.period.start === period.start)
  if (known?.state === 'closed') {
    const standing = (await loadStandingClosings(tx, month)).find((one) => one.period.start === period.start)
    return err({ reason: 'period_closed', license, period, invoice: standing?.invoice })
  }
  const checklist = await goThroughChecklist(tx, { month, first, reasons, now })
  if (checklist.some(({ state }) => state === 'open'))
    return err({ reason: 'period_not_ready', license, period, checklist })
  const begun = { month, tenant: row.tenant, checklist }
  if (known?.state === 'closing') return ok({ ...begun, closing: known.closing })
  await appendAuditEntry(tx, {
    tenantId: row.tenantId,
    at: now,
    action: 'period.closing',
    agent: agentOf(actor),
    entity: { type: 'period', id: `${license}/${monthName(period)}` },
    outcome: 'done',
    reason: undefined,
    facts: { explained: checklist.flatMap(({ item, reason }) => (reason === undefined ? [] : [`${item}: ${reason}`])) },
  })
  const { closing } = await freezePeriod(tx, month)
  return ok({ ...begun, closing })
}

async function requireFacts(tx: Tx, { tenantId, license }: Month): Promise<LicenseFacts> {
  const facts = (await loadLicenses(tx, [tenantId])).find((candidate) => candidate.license === license)
  assert(facts !== undefined, 'a license has facts')
  return facts
}

async function finishClosing(
  tx: Tx,
  needs: ClosingNeeds,
  { month, tenant, closing, checklist, actor, now }: Begun & { actor: Actor; now: Instant },
): Promise<Result<Closed, CloseRefusal>> {
  const { tenantId, license, period } = month
  await lockPeriodsOf(tx, tenantId)
  const known = (await loadPeriods(tx, month)).find((one) => one.period.start === period.start)
  if (known?.state !== 'closing' || known.closing !== closing)
    return err({ reason: 'period_closed', license, period, invoice: undefined })
  const facts = await requireFacts(tx, month)
  const [book, standing, facilities] = [
    await loadPriceBook(tx),
    await loadStandingClosings(tx, month),
    await loadFacilitySpans(tx, tenantId),
  ]
  const conditions = conditionsOf(facts)
  const frozen = await freezeUsage((which) => readFrozen(tx, { ...month, which }), {
    conditions,
    startSha256: needs.startSha256,
  })
  const basis = makeBasis({ license: facts, facilities, book, standing, frozen }, { period, knownAt: now })
  if (!basis.ok) return err({ reason: 'currencies_differ', license, period, currencies: basis.error.currencies })
  const closedNow = { closing, closedAt: now, closedBy: actor.name, checklist, ...hashesOf(frozen), basis: basis.value }
  const composed = await composeInvoice(tx, {
    month,
    tenant,
    closing: closedNow,
    standing,
    book,
    tax: needs.tax ?? noTax,
  })
  const issued = await issueInvoice(tx, { month, closing: closedNow, composed })
  await appendClosing(tx, month, { ...closedNow, invoice: issued, creditLeft: composed.made.credit.left })
  await setPeriodState(tx, month, 'closed')
  await appendAuditEntry(tx, {
    tenantId,
    at: now,
    action: 'period.close',
    agent: agentOf(actor),
    entity: { type: 'period', id: `${license}/${monthName(period)}`, revision: String(closing) },
    outcome: 'done',
    reason: undefined,
    facts: {
      rows: String(frozen.rows),
      usageSha256: frozen.usageSha256,
      lateRows: String(frozen.lateRows),
      invoice: issued ?? '',
    },
  })
  return ok({ tenant, license, period, closing, checklist, ...hashesOf(frozen), invoice: issued })
}

const hashesOf = ({ rows, usageSha256, lateRows, lateSha256 }: FrozenUsage) => ({
  rows,
  usageSha256,
  lateRows,
  lateSha256,
})
