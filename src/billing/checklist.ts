import { z } from 'zod'
import type { Instant } from '../kernel/index.ts'
import { monthName, type Period } from './month.ts'

export const checkItems = [
  'period-over',
  'earlier-closed',
  'reservations-ended',
  'batches-written',
  'batches-accepted',
  'calls-known',
  'reconciled',
] as const
export const CheckItem = z.enum(checkItems)
export type CheckItem = z.infer<typeof CheckItem>

/** Items that say that something may be missing, and not that the month is still moving: a reason lets them pass. */
const explicable: ReadonlySet<CheckItem> = new Set(['batches-accepted', 'calls-known', 'reconciled'])
export const mayBeExplained = (item: CheckItem): boolean => explicable.has(item)

export const CheckedItem = z.strictObject({
  item: CheckItem,
  state: z.enum(['met', 'open', 'explained']),
  /** What was found, and of an explained item why it may stay so. */
  found: z.string(),
  reason: z.string().optional(),
})
export type CheckedItem = z.infer<typeof CheckedItem>

/** What the comparison with the model host's and Stripe's figures says of a month. */
export type Reconciled =
  | {
      /** Differences that nobody has worked off. */
      readonly open: number
      /** What has not been looked at, a phrase each. */
      readonly missing: readonly string[]
    }
  | 'not_set_up'

/** What a checklist asks the database about a month of a license. */
export interface LedgerFacts {
  readonly openReservations: number
  readonly waitingEvents: number
  readonly refusedBatches: number
  /** Calls whose end nobody knows; they are charged nothing until somebody corrects them. */
  readonly expiredCalls: number
}

export interface CheckFacts extends LedgerFacts {
  readonly period: Period
  readonly now: Instant
  /** Months of the license before this one that are not closed. */
  readonly earlierOpen: readonly Period[]
  readonly reconciled: Reconciled
}

/** Whether a month may be closed, item by item. What may be explained and is, passes with its reason beside it. */
export function checkPeriod(facts: CheckFacts, reasons: ReadonlyMap<CheckItem, string>): readonly CheckedItem[] {
  const found: Readonly<Record<CheckItem, readonly [met: boolean, words: string]>> = {
    'period-over': [facts.now >= facts.period.end, `the month ends at ${new Date(facts.period.end).toISOString()}`],
    'earlier-closed': [
      facts.earlierOpen.length === 0,
      facts.earlierOpen.length === 0
        ? 'no earlier month is open'
        : `open before it: ${facts.earlierOpen.slice(0, 12).map(monthName).join(', ')}`,
    ],
    'reservations-ended': [facts.openReservations === 0, `${facts.openReservations} calls in flight`],
    'batches-written': [facts.waitingEvents === 0, `${facts.waitingEvents} calls on their way into the ledger`],
    'batches-accepted': [facts.refusedBatches === 0, `${facts.refusedBatches} calls that the ledger refused`],
    'calls-known': [facts.expiredCalls === 0, `${facts.expiredCalls} calls whose end nobody knows, charged nothing`],
    reconciled:
      facts.reconciled === 'not_set_up'
        ? [true, 'no reconciliation is set up']
        : [
            facts.reconciled.open === 0 && facts.reconciled.missing.length === 0,
            [`${facts.reconciled.open} differences not worked off`, ...facts.reconciled.missing].join(', '),
          ],
  }
  return checkItems.map((item) => {
    const [isMet, words] = found[item]
    const reason = explicable.has(item) ? reasons.get(item) : undefined
    if (isMet) return { item, state: 'met', found: words }
    return reason === undefined
      ? { item, state: 'open', found: words }
      : { item, state: 'explained', found: words, reason }
  })
}
