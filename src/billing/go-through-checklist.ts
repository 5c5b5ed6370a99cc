import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { checkPeriod, type CheckedItem, type CheckItem } from './checklist.ts'
import { monthsFrom } from './license-months.ts'
import type { Month, Period } from './month.ts'
import { reconciledMonth } from './reconcile/reconciled-month.ts'
import { loadLedgerFacts, loadPeriods } from './store-period.ts'

/**
 * What speaks against closing a month as things are now, item by item. Nothing is written: a closing goes through it in the
 * transaction that draws its line, and whoever only wants to know what is missing reads the same.
 */
export async function goThroughChecklist(
  tx: Tx,
  asked: { month: Month; first: Period; reasons: ReadonlyMap<CheckItem, string>; now: Instant },
): Promise<readonly CheckedItem[]> {
  const { month, first, reasons, now } = asked
  const closed = new Set(
    (await loadPeriods(tx, month)).filter(({ state }) => state === 'closed').map((one) => one.period.start),
  )
  return checkPeriod(
    {
      ...(await loadLedgerFacts(tx, month)),
      period: month.period,
      now,
      earlierOpen: monthsFrom(first, month.period).filter(({ start }) => !closed.has(start)),
      reconciled: await reconciledMonth(tx, month),
    },
    reasons,
  )
}
