import { instant, type Instant } from '../kernel/index.ts'
import type { BudgetPer } from '../licensing/index.ts'

/** Half-open: [start, end). */
export interface Period {
  readonly start: Instant
  readonly end: Instant
}

/** The period of a budget that an instant falls into. Days and months are UTC; a term is the license's own. */
export function periodOf(per: BudgetPer, term: Period, at: Instant): Period {
  const date = new Date(at)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (per) {
    case 'day':
      return { start: instant(Date.UTC(year, month, day)), end: instant(Date.UTC(year, month, day + 1)) }
    case 'month':
      return { start: instant(Date.UTC(year, month)), end: instant(Date.UTC(year, month + 1)) }
    case 'term':
      return term
  }
}

/** Slots are not counted per period. The ends are far but representable on both sides. */
export const always: Period = { start: instant(0), end: instant(Date.UTC(9999, 0)) }
