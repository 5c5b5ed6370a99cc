import type { LicenseFacts } from '../licensing/index.ts'
import { monthAfter, monthOf, type Period } from './month.ts'

/** The month in which a license began to hold; undefined while nothing has been granted. */
export function firstMonth({ revisions }: LicenseFacts): Period | undefined {
  const [first] = revisions
  return first === undefined
    ? undefined
    : monthOf(first.effectiveAt > first.termStart ? first.effectiveAt : first.termStart)
}

/** A license goes on for so many months at most before somebody looks. */
const monthsMax = 1200

/** The months from one up to, not including, another. */
export function monthsFrom(first: Period, until: Period): readonly Period[] {
  const months: Period[] = []
  for (let month = first; month.start < until.start && months.length < monthsMax; month = monthAfter(month))
    months.push(month)
  return months
}
