import { assert, err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { loadLicenses } from '../licensing/index.ts'
import type { CloseRefusal } from './close-period.ts'
import { invoiceDocument, noTax, type Tax } from './invoice.ts'
import { draftInvoice } from './issue-invoice.ts'
import { monthsFrom } from './license-months.ts'
import { makeBasis } from './make-basis.ts'
import { monthName, type Period } from './month.ts'
import { showPeriod } from './show-period.ts'
import { loadPriceBook } from './store.ts'
import { loadFacilitySpans, loadPeriods, loadStandingClosings } from './store-period.ts'
import { sumUsage } from './store-sum-usage.ts'

export type PreviewRefusal = Exclude<CloseRefusal, { reason: 'period_not_ready' }>

export interface PreviewedInvoice {
  /** A document of the kind `preview`, without a number and without proof. */
  readonly text: string
  /** Months before it that are open: what they leave of prepaid credit, and corrections, are not known yet. */
  readonly earlierOpen: readonly string[]
}

/**
 * What a month that is open would be invoiced at, if nothing were used after now: what is in the ledger, and flat prices
 * and the commitment for the whole month as the license stands. It writes nothing and takes no number. In a tenant's
 * transaction it sees that tenant only; `seller` is then said by the caller.
 */
export async function previewInvoice(
  tx: Tx,
  asked: { license: string; period: Period; now: Instant; seller: string; tax?: Tax | undefined },
): Promise<Result<PreviewedInvoice, PreviewRefusal>> {
  const { license, period, now, seller, tax = noTax } = asked
  const found = await showPeriod(tx, { license, period })
  if (!found.ok) return found
  const { month, first, state, standing: closed, tenant } = found.value
  if (state === 'closed') return err({ reason: 'period_closed', license, period, invoice: closed?.invoice })
  const facts = (await loadLicenses(tx, [month.tenantId])).find((candidate) => candidate.license === license)
  assert(facts !== undefined, 'a license has facts')
  const frozenMonths = new Set(
    (await loadPeriods(tx, month)).filter((one) => one.state === 'closed').map((one) => one.period.start),
  )
  const earlierOpen = monthsFrom(first, period).filter(({ start }) => !frozenMonths.has(start))
  const book = await loadPriceBook(tx)
  const standing = await loadStandingClosings(tx, month)
  const facilities = await loadFacilitySpans(tx, month.tenantId)
  // Late rows count in the month that is closed next.
  const frozen = await sumUsage(tx, { ...month, withLate: earlierOpen.length === 0 })
  const basis = makeBasis({ license: facts, facilities, book, standing, frozen }, { period, knownAt: now })
  if (!basis.ok) return err({ reason: 'currencies_differ', license, period, currencies: basis.error.currencies })
  const { made, head } = await draftInvoice(tx, {
    month,
    tenant,
    seller,
    basis: basis.value,
    at: now,
    standing,
    book,
    tax,
  })
  const text = invoiceDocument({ ...head, number: 'PREVIEW', kind: 'preview' }, made.lines, undefined)
  return ok({ text, earlierOpen: earlierOpen.map(monthName) })
}
