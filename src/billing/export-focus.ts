import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { loadLicenses, loadOwnerName } from '../licensing/index.ts'
import { contractCommitmentRows } from './focus/commitments.ts'
import { costAndUsageRows, documentRows } from './focus/cost-and-usage.ts'
import type { Dataset, Row } from './focus/columns.ts'
import { focusTime } from './focus/focus-time.ts'
import { invoiceDetailRows } from './focus/invoice-detail.ts'
import { findLineThatDiffers, loadMonth, type LoadedMonth, type MonthRefusal } from './focus/load-month.ts'
import { focusHead, focusLine, type FocusFormat } from './focus/write-rows.ts'
import type { Tax } from './invoice.ts'
import { firstMonth } from './license-months.ts'
import type { Period } from './month.ts'
import type { InvoiceDocument } from './read-document.ts'
import { loadPriceBook } from './store.ts'
import { loadBilledLicenses, loadModelFacts, loadPeriodMoves, type BilledLicense } from './store-focus.ts'

export interface FocusWish {
  readonly dataset: Dataset
  readonly format: FocusFormat
  readonly period: Period
  /** Of one tenant, or of one of its licenses; of all where neither is named. */
  readonly tenant?: string | undefined
  readonly license?: string | undefined
  readonly now: Instant
  readonly tax?: Tax | undefined
  /** The owner's name, where the transaction cannot see it: a tenant's sees its own tenant only. */
  readonly seller?: string | undefined
}

export type FocusRefusal = MonthRefusal | { reason: 'nothing_licensed' }

/**
 * Writes one dataset of FOCUS 1.4 for a month, license by license, so that no more than one stands in memory. Closed months
 * are told from what their closings froze, and are the same whenever they are told; open ones as they stand, marked so.
 */
export async function exportFocus(
  tx: Tx,
  wish: FocusWish,
  write: (text: string) => void | Promise<void>,
): Promise<Result<{ rows: number }, FocusRefusal>> {
  const { dataset, format, period } = wish
  const licenses = await loadBilledLicenses(tx, wish)
  if (licenses.length === 0) return err({ reason: 'nothing_licensed' })
  const shared = {
    seller: wish.seller ?? (await loadOwnerName(tx)),
    models: await loadModelFacts(tx),
    book: await loadPriceBook(tx),
  }
  await write(focusHead(dataset, format))
  let count = 0
  const tell = async (rows: readonly Row[]) => {
    count += rows.length
    if (rows.length > 0) await write(rows.map((row) => focusLine(dataset, format, row)).join(''))
  }
  if (dataset === 'billing-period') {
    await tell([await billingPeriodRow(tx, wish, licenses, shared.seller)])
    return ok({ rows: count })
  }
  for (const billed of licenses) {
    const read = await loadMonth(tx, { billed, period, book: shared.book, now: wish.now, tax: wish.tax })
    if (!read.ok) return read
    const loaded = read.value
    if (loaded === undefined) continue
    const line = findLineThatDiffers(loaded)
    if (line !== undefined) return err({ reason: 'usage_differs', license: billed.license, period, line })
    await tell(rowsOf(dataset, loaded, { ...shared, period, now: wish.now }))
  }
  return ok({ rows: count })
}

type Shared = {
  seller: string
  models: Awaited<ReturnType<typeof loadModelFacts>>
  book: Awaited<ReturnType<typeof loadPriceBook>>
  period: Period
  now: Instant
}

function rowsOf(dataset: Exclude<Dataset, 'billing-period'>, loaded: LoadedMonth, shared: Shared): readonly Row[] {
  switch (dataset) {
    case 'cost-and-usage':
      return chargeRows(loaded, shared)
    case 'invoice-detail':
      return detailRows(loaded, shared.period)
    case 'contract-commitment':
      return contractCommitmentRows({
        ...shared,
        tenant: loaded.billed.tenant,
        facts: loaded.facts,
        period: loaded.span,
        // A closed month is told the same whenever it is told.
        asOf: loaded.isProvisional ? shared.now : shared.period.end,
        credits: loaded.credits,
      })
    default:
      return dataset
  }
}

function chargeRows({ billed, standing, isProvisional, detail, others }: LoadedMonth, shared: Shared): readonly Row[] {
  const { seller, models, period } = shared
  const of = (document: InvoiceDocument) => ({
    ...billed,
    tenantName: document.buyer.name,
    seller,
    models,
    period,
    currency: document.currency,
    invoice: document.number,
  })
  return [
    ...(standing?.lines.flatMap((line) =>
      costAndUsageRows({ ...of(standing), invoice: isProvisional ? undefined : standing.number }, line, detail),
    ) ?? []),
    ...others.flatMap(({ document, isTakenBack }) =>
      document.lines.flatMap((line) =>
        documentRows(of(document), line, { isCorrection: !isTakenBack, corrects: document.credits }),
      ),
    ),
  ]
}

function detailRows({ standing, isProvisional, others }: LoadedMonth, period: Period): readonly Row[] {
  return [
    ...(standing === undefined || isProvisional ? [] : invoiceDetailRows(standing, { period, status: 'Issued' })),
    ...others.flatMap(({ document, isTakenBack }) =>
      invoiceDetailRows(document, { period, status: isTakenBack ? 'Voided' : 'Issued' }),
    ),
  ]
}

/** The month of the issuer: closed when it is for every license that is told here. */
async function billingPeriodRow(
  tx: Tx,
  { period, tenant, license }: FocusWish,
  licenses: readonly BilledLicense[],
  seller: string,
): Promise<Row> {
  const { states, lastMovedAt } = await loadPeriodMoves(tx, { period, tenant, license })
  const tenants = [...new Set(licenses.map(({ tenantId }) => tenantId))]
  const began = (await loadLicenses(tx, tenants)).filter(
    (facts) => (firstMonth(facts)?.start ?? period.end) <= period.start,
  )
  const told = licenses.filter((one) => began.some((facts) => facts.license === one.license))
  const isClosed = told.length > 0 && told.every((one) => states.get(one.license) === 'closed')
  return {
    BillingPeriodCreated: focusTime(period.start),
    BillingPeriodStart: focusTime(period.start),
    BillingPeriodEnd: focusTime(period.end),
    BillingPeriodLastUpdated: focusTime(lastMovedAt ?? period.start),
    BillingPeriodStatus: isClosed ? 'Closed' : 'Open',
    InvoiceIssuerName: seller,
  }
}
