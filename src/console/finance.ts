import { assertNever, picos } from '../kernel/index.ts'
import {
  formatMoney,
  invoiceState,
  monthBefore,
  monthName,
  monthAfter,
  type CheckedItem,
  type InvoiceRow,
  type InvoiceState,
  type PeriodRow,
} from '../billing/index.ts'
import type { FinanceFacts } from './load-finance.ts'
import { countOf, dayOf, groupedAmount, moneyOf, monthOf } from './words.ts'

/** The page as text. */
export interface Finance {
  readonly owner: string | undefined
  readonly month: string
  readonly monthName: string
  readonly isOver: boolean
  readonly before: { readonly name: string; readonly words: string }
  readonly after: { readonly name: string; readonly words: string } | undefined
  readonly totals: readonly (readonly [label: string, value: string])[]
  readonly periods: readonly PeriodLine[]
  readonly next: string | undefined
  readonly isFirstPage: boolean
  readonly invoices: readonly InvoiceLine[]
  readonly hasMoreInvoices: boolean
}

export interface PeriodLine {
  readonly license: string
  readonly tenant: string
  readonly state: string
  /** What is missing for its closing, a sentence each. */
  readonly missing: readonly string[]
  readonly isMissing: boolean
  readonly total: string
  readonly invoice: string | undefined
}

export interface InvoiceLine {
  readonly number: string
  readonly tenant: string
  readonly license: string
  readonly month: string
  readonly issued: string
  readonly state: string
  readonly total: string
}

export function financeOf(facts: FinanceFacts): Finance {
  const { now, period, owner } = facts
  const [before, after] = [monthBefore(period), monthAfter(period)]
  return {
    owner: owner === '' ? undefined : owner,
    month: monthOf(period.start),
    monthName: monthName(period),
    isOver: now >= period.end,
    before: { name: monthName(before), words: monthOf(before.start) },
    after: after.start > now ? undefined : { name: monthName(after), words: monthOf(after.start) },
    totals: totalsOf(facts),
    periods: facts.periods.map((row) => periodLine(row, facts.checklists.get(row.license) ?? [])),
    next: facts.next,
    isFirstPage: facts.isFirstPage,
    invoices: facts.invoices.map(invoiceLine),
    hasMoreInvoices: facts.hasMoreInvoices,
  }
}

/** A figure for each currency; none is added to another. */
function totalsOf({ invoiced, used }: FinanceFacts): Finance['totals'] {
  const each = (words: readonly string[]) => (words.length === 0 ? 'Nothing' : words.join(', '))
  return [
    ['Calls', countOf(used.reduce((sum, { calls }) => sum + calls, 0n))],
    ['At list prices', each(used.map(({ charge, currency }) => moneyOf(charge, currency)))],
    ['Invoiced', each(invoiced.map((sum) => moneyOf(sum.invoiced, sum.currency)))],
    [
      'To be paid, credit notes taken off',
      each(invoiced.map((sum) => moneyOf(picos(sum.invoiced + sum.takenBack), sum.currency))),
    ],
  ]
}

function periodLine(row: PeriodRow, checklist: readonly CheckedItem[]): PeriodLine {
  const open = checklist.filter(({ state }) => state === 'open')
  return {
    license: row.license,
    tenant: row.tenant,
    state: stateInWords(row),
    missing: open.map(itemInWords),
    isMissing: open.length > 0,
    total:
      row.total === undefined || row.currency === undefined
        ? ''
        : `${groupedAmount(formatMoney(row.total, row.currency))} ${row.currency}`,
    invoice: row.invoice,
  }
}

function stateInWords({ state, closedAt, closedBy }: PeriodRow): string {
  switch (state) {
    case 'open':
      return 'Open'
    case 'closing':
      return 'Being closed; closing it again goes on'
    case 'closed':
      return closedAt === undefined ? 'Closed' : `Closed on ${dayOf(closedAt)} by ${closedBy ?? 'somebody'}`
    default:
      return assertNever(state, 'a month’s state')
  }
}

const itemInWords = ({ item, found }: CheckedItem): string => {
  switch (item) {
    case 'period-over':
      return 'The month is not over.'
    case 'earlier-closed':
      return `Earlier months come first: ${found}.`
    case 'reservations-ended':
      return `Calls are still being answered: ${found}.`
    case 'batches-written':
      return `Calls are still being entered: ${found}.`
    case 'batches-accepted':
      return `To be explained: ${found}.`
    case 'calls-known':
      return `To be explained: ${found}.`
    case 'reconciled':
      return `To be worked off, or explained: ${found}.`
    default:
      return assertNever(item, 'an item of the checklist')
  }
}

export const invoiceLine = (row: InvoiceRow): InvoiceLine => ({
  number: row.number,
  tenant: row.tenant,
  license: row.license,
  month: monthOf(row.periodStart),
  issued: dayOf(row.issuedAt),
  state: invoiceInWords(invoiceState(row), row),
  total: `${groupedAmount(formatMoney(row.total, row.currency))} ${row.currency}`,
})

function invoiceInWords(state: InvoiceState, { credits, creditedBy }: InvoiceRow): string {
  switch (state) {
    case 'issued':
      return 'Issued'
    case 'taken-back':
      return `Taken back by ${creditedBy}`
    case 'credit-note':
      return `Takes ${credits} back`
    default:
      return assertNever(state, 'an invoice’s state')
  }
}
