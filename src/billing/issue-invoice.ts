import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { loadOwnerName } from '../licensing/index.ts'
import type { Basis } from './basis.ts'
import { bookInvoice } from './book-invoice.ts'
import { invoiceDocument, type InvoiceHead, type InvoiceProof, type Tax } from './invoice.ts'
import { makeInvoice, type EarlierMonth, type MadeInvoice } from './make-invoice.ts'
import type { Month } from './month.ts'
import type { PriceBook } from './prices.ts'
import {
  appendInvoice,
  keptLine,
  loadLineNumbers,
  loadPlanDigests,
  loadTenantName,
  takeNumber,
} from './store-invoice.ts'
import { loadFacilitySpans, type Closing, type StandingClosing } from './store-period.ts'

type Frozen = Omit<Closing, 'invoice' | 'creditLeft'>

/** A month's lines, and what stands over them, without a number. */
export interface DraftedInvoice {
  readonly made: MadeInvoice
  readonly head: Omit<InvoiceHead, 'number' | 'kind'>
}

export interface ComposedInvoice extends DraftedInvoice {
  readonly proof: InvoiceProof
}

/** Makes the lines of a month from its basis. It writes nothing. */
export async function draftInvoice(
  tx: Tx,
  facts: {
    month: Month
    tenant: string
    /** The owner, whom a tenant's own transaction does not see. */
    seller: string
    basis: Basis
    at: Instant
    standing: readonly StandingClosing[]
    book: PriceBook
    tax: Tax
  },
): Promise<DraftedInvoice> {
  const { month, tenant, seller, basis, at, standing, book, tax } = facts
  const plans = [...book.values()].flat()
  const earlier = await earlierMonths(tx, month, standing)
  const facilities = await loadFacilitySpans(tx, month.tenantId)
  return {
    made: makeInvoice(basis, { period: month.period, plans, earlier, tax }),
    head: {
      issuedAt: at,
      seller,
      buyer: { tenant, name: await loadTenantName(tx, month.tenantId) },
      license: month.license,
      period: month.period,
      currency: basis.use.currency,
      facilities: new Map(facilities.map(({ facility, name }) => [facility, name])),
      credits: undefined,
      reason: undefined,
    },
  }
}

/** Makes a month's invoice from what its closing froze. It writes nothing: an auditor makes it a second time. */
export async function composeInvoice(
  tx: Tx,
  facts: {
    month: Month
    tenant: string
    closing: Frozen
    standing: readonly StandingClosing[]
    book: PriceBook
    tax: Tax
  },
): Promise<ComposedInvoice> {
  const { closing, ...others } = facts
  const { basis } = closing
  const seller = await loadOwnerName(tx)
  const { made, head } = await draftInvoice(tx, { ...others, seller, basis, at: closing.closedAt })
  // All that it was rated under, whether a line came of it or not: who recomputes it needs them.
  const named = [...basis.use.usage, ...basis.use.termDays, ...basis.use.facilityDays].map(
    ({ plan, planRevision: revision }) => ({ plan, revision }),
  )
  return { made, head, proof: { ...closing, plans: await loadPlanDigests(tx, named), credit: made.credit } }
}

/** The months before one, each with its late rows that months since then have counted. */
async function earlierMonths(tx: Tx, { tenantId, period }: Month, standing: readonly StandingClosing[]) {
  const before = standing.filter((one) => one.period.start < period.start)
  const months: EarlierMonth[] = []
  for (const one of before) {
    const lines = one.invoice === undefined ? undefined : await loadLineNumbers(tx, { tenantId, number: one.invoice })
    const countedSince = before.flatMap(({ basis }) =>
      basis.late.filter(({ periodStart }) => periodStart === one.period.start).flatMap(({ usage }) => usage),
    )
    months.push({
      period: one.period,
      use: one.basis.use,
      countedSince,
      document: one.invoice,
      lineOf: (key) => lines?.get(key),
    })
  }
  return months
}

/** Gives it the next number, and books it. A month with nothing to say on an invoice has none. */
export async function issueInvoice(
  tx: Tx,
  { month, closing, composed }: { month: Month; closing: Frozen; composed: ComposedInvoice },
): Promise<string | undefined> {
  const { made, head, proof } = composed
  if (made.lines.length === 0) return undefined
  const { number, sequence } = await takeNumber(tx, 'INV')
  await appendInvoice(tx, {
    tenantId: month.tenantId,
    series: 'INV',
    number,
    sequence,
    license: month.license,
    periodStart: month.period.start,
    closing: closing.closing,
    issuedAt: closing.closedAt,
    issuedBy: closing.closedBy,
    currency: head.currency,
    total: made.total,
    credits: undefined,
    document: invoiceDocument({ ...head, number, kind: 'invoice' }, made.lines, proof),
    lines: made.lines.map(keptLine),
    postings: bookInvoice(made.lines),
  })
  return number
}
