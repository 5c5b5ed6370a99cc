import { assert, type Picos } from '../kernel/index.ts'
import type { Basis } from './basis.ts'
import { correctPeriod } from './correct-period.ts'
import { invoiceLines, totalOf, type InvoiceLine, type PeriodCorrection, type Tax } from './invoice.ts'
import type { Period } from './month.ts'
import type { PlanRevision } from './prices.ts'
import { ratePeriod, type PeriodUse, type UsageQuantity } from './rate-period.ts'
import { settleCredit, type CreditSettled } from './settle-credit.ts'

/** An earlier month whose closing stands, and what later months have counted of it since. */
export interface EarlierMonth {
  readonly period: Period
  readonly use: PeriodUse
  readonly countedSince: readonly UsageQuantity[]
  /** Its invoice; undefined where it had none. */
  readonly document: string | undefined
  /** Where a line of it stands on that invoice. */
  readonly lineOf: (key: string) => number | undefined
}

export interface MadeInvoice {
  readonly lines: readonly InvoiceLine[]
  readonly credit: CreditSettled
  readonly total: Picos
}

/**
 * The lines of a month's invoice: what it is rated at, what its late rows change of earlier months, and what of it is paid
 * from prepaid credit. Pure: the same basis gives the same lines, whenever and by whomever it is asked.
 */
export function makeInvoice(
  basis: Basis,
  facts: { period: Period; plans: readonly PlanRevision[]; earlier: readonly EarlierMonth[]; tax: Tax },
): MadeInvoice {
  const { period, plans, earlier, tax } = facts
  const rated = ratePeriod(basis.use, plans)
  const corrections = basis.late.flatMap(({ periodStart, usage }): readonly PeriodCorrection[] => {
    const month = earlier.find((candidate) => candidate.period.start === periodStart)
    assert(month !== undefined, 'a late row is of a month whose closing stands')
    const { use, countedSince, document = 'no invoice', lineOf } = month
    const charged = { ...use, usage: [...use.usage, ...countedSince] }
    const now = { ...use, usage: [...charged.usage, ...usage] }
    return correctPeriod(ratePeriod(charged, plans), ratePeriod(now, plans)).map((correction) => ({
      period: month.period,
      document,
      line: lineOf(correction.key),
      correction,
    }))
  })
  const before = { period, currency: basis.use.currency, rated, corrections, tax }
  const none = settleCredit({ charged: totalOf([]), balance: totalOf([]), bought: totalOf([]) })
  const charged = totalOf(invoiceLines({ ...before, credit: none }))
  const credit = settleCredit({ charged, balance: basis.credit.balance, bought: basis.credit.bought })
  const lines = invoiceLines({ ...before, credit })
  return { lines, credit, total: totalOf(lines) }
}
