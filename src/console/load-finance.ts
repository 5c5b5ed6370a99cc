import type { Instant } from '../kernel/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import { loadOwnerName } from '../licensing/index.ts'
import {
  listChecklists,
  listInvoices,
  listPeriodsOf,
  sumInvoiced,
  type CheckedItem,
  type InvoiceRow,
  type InvoicedSum,
  type Period,
  type PeriodRow,
} from '../billing/index.ts'
import { sumAllUse } from './store.ts'
import type { UseSum } from './load-overview.ts'

/** Licenses, and invoices, on one page. */
export const licensesOnPage = 50

export interface FinanceFacts {
  readonly now: Instant
  readonly owner: string
  readonly period: Period
  readonly periods: readonly PeriodRow[]
  /** Where the next page begins; undefined when nothing follows. */
  readonly next: string | undefined
  readonly isFirstPage: boolean
  /** Of those that are not closed, what speaks for and against it. */
  readonly checklists: ReadonlyMap<string, readonly CheckedItem[]>
  readonly invoices: readonly InvoiceRow[]
  readonly hasMoreInvoices: boolean
  readonly invoiced: readonly InvoicedSum[]
  readonly used: readonly UseSum[]
}

/** A month as finance looks at it: what is closed, what is missing for the others, and what came of it. @throws Failure */
export async function loadFinance(
  database: Database,
  { now, period, after }: { now: Instant; period: Period; after: string },
): Promise<FinanceFacts> {
  return systemTransaction(database, 'administer', async (tx) => {
    const asked = { period, tenant: undefined, state: undefined, after, limit: licensesOnPage + 1 }
    const read = await listPeriodsOf(tx, asked)
    const periods = read.slice(0, licensesOnPage)
    const licenses = periods.filter(({ state }) => state !== 'closed').map(({ license }) => license)
    const invoices = await listInvoices(tx, {
      tenant: undefined,
      license: undefined,
      period,
      after: undefined,
      limit: licensesOnPage + 1,
    })
    return {
      now,
      owner: await loadOwnerName(tx),
      period,
      periods,
      next: read.length > periods.length ? periods.at(-1)?.license : undefined,
      isFirstPage: after === '',
      checklists: await listChecklists(tx, { period, licenses, now }),
      invoices: invoices.slice(0, licensesOnPage),
      hasMoreInvoices: invoices.length > licensesOnPage,
      invoiced: await sumInvoiced(tx, period),
      used: await sumAllUse(tx, { from: period.start, to: period.end }),
    }
  })
}
