import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { findLicenseRow, loadLicenses } from '../licensing/index.ts'
import { firstMonth, monthsFrom } from './license-months.ts'
import { monthAfter, monthOf, type Period } from './month.ts'
import { loadPeriods, loadStandingClosings, type PeriodState, type StandingClosing } from './store-period.ts'

export interface ListedPeriod {
  readonly period: Period
  readonly state: PeriodState
  readonly standing: StandingClosing | undefined
}

/** The months of a license from its first one up to the one that now is in; undefined when there is no such license. */
export async function listPeriods(
  tx: Tx,
  { license, now }: { license: string; now: Instant },
): Promise<readonly ListedPeriod[] | undefined> {
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return undefined
  const facts = (await loadLicenses(tx, [row.tenantId])).find((candidate) => candidate.license === license)
  const first = facts === undefined ? undefined : firstMonth(facts)
  if (first === undefined) return []
  const of = { tenantId: row.tenantId, license }
  const known = new Map((await loadPeriods(tx, of)).map((one) => [one.period.start, one.state]))
  const standing = new Map((await loadStandingClosings(tx, of)).map((one) => [one.period.start, one]))
  return monthsFrom(first, monthAfter(monthOf(now))).map((period) => ({
    period,
    state: known.get(period.start) ?? 'open',
    standing: standing.get(period.start),
  }))
}
