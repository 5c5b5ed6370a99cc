import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { findLicenseRow, loadLicenses } from '../licensing/index.ts'
import type { CheckedItem } from './checklist.ts'
import type { CloseRefusal } from './close-period.ts'
import { goThroughChecklist } from './go-through-checklist.ts'
import { firstMonth } from './license-months.ts'
import type { Month, Period } from './month.ts'
import { loadPeriods, loadStandingClosings, type PeriodState, type StandingClosing } from './store-period.ts'

export interface ShownPeriod {
  readonly tenant: string
  readonly month: Month
  /** The month in which the license began. */
  readonly first: Period
  readonly state: PeriodState
  /** How often it was begun to be closed. */
  readonly closing: number
  /** What its closing froze, while it stands. */
  readonly standing: StandingClosing | undefined
}

export type ShowRefusal = Extract<CloseRefusal, { reason: 'license_not_found' | 'period_before_license' }>

/** A month of a license as it stands. */
export async function showPeriod(
  tx: Tx,
  { license, period }: { license: string; period: Period },
): Promise<Result<ShownPeriod, ShowRefusal>> {
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return err({ reason: 'license_not_found', license })
  const month = { tenantId: row.tenantId, license, period }
  const facts = (await loadLicenses(tx, [row.tenantId])).find((candidate) => candidate.license === license)
  const first = facts === undefined ? undefined : firstMonth(facts)
  if (first === undefined || period.start < first.start)
    return err({ reason: 'period_before_license', license, period, first })
  const known = (await loadPeriods(tx, month)).find((one) => one.period.start === period.start)
  const standing = (await loadStandingClosings(tx, month)).find((one) => one.period.start === period.start)
  const { state = 'open', closing = 0 } = known ?? {}
  return ok({ tenant: row.tenant, state, closing, standing, month, first })
}

/** Of a closed month as it was gone through, of another as it would be now. It sees what is no tenant's own. */
export async function checklistOf(
  tx: Tx,
  { shown, now }: { shown: Pick<ShownPeriod, 'month' | 'first' | 'standing'>; now: Instant },
): Promise<readonly CheckedItem[]> {
  const { month, first, standing } = shown
  return standing?.checklist ?? goThroughChecklist(tx, { month, first, reasons: new Map(), now })
}
