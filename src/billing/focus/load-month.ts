import { err, formatAmount, instant, ok, parseAmount, picos, type Instant, type Result } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { loadLicenses, type LicenseFacts } from '../../licensing/index.ts'
import type { Basis } from '../basis.ts'
import { makeBasis } from '../make-basis.ts'
import { noTax, invoiceDocument, type Tax } from '../invoice.ts'
import { composeInvoice } from '../issue-invoice.ts'
import { firstMonth, monthsFrom } from '../license-months.ts'
import { monthName, monthOf, type Month, type Period } from '../month.ts'
import { planRevisionAt, type PlanRevision, type PriceBook } from '../prices.ts'
import { readDocument, type InvoiceDocument } from '../read-document.ts'
import { roundHalfEven } from '../round.ts'
import { loadBilledDocuments, loadDayUse, type BilledDocument, type BilledLicense } from '../store-focus.ts'
import { loadFacilitySpans, loadStandingClosings, type StandingClosing } from '../store-period.ts'
import { chargeDays, differencesOf, type DayCharge, type DayUse } from './charge-days.ts'
import type { MonthDetail } from './cost-and-usage.ts'
import { fineOfPicos, sumFine, type Fine } from './fine.ts'

/** A license's month as the files tell it. */
export interface LoadedMonth {
  readonly billed: BilledLicense
  readonly facts: LicenseFacts
  readonly currency: string
  /** The invoice of the closing that stands, or what would be one; undefined where there is nothing to say on one. */
  readonly standing: InvoiceDocument | undefined
  readonly isProvisional: boolean
  readonly detail: MonthDetail
  /** Credit notes that were issued in the month, and invoices of it that were taken back when it was opened again. */
  readonly others: readonly { readonly document: InvoiceDocument; readonly isTakenBack: boolean }[]
  /** Terms in which credit was bought, with the plan that sold it, and whether any is left. */
  readonly credits: ReadonlyMap<Instant, { readonly planRevision: PlanRevision; readonly isUsedUp: boolean }>
  /** From the earliest month that something in it corrects. */
  readonly span: Period
}

export type MonthRefusal =
  | { reason: 'usage_differs'; license: string; period: Period; line: number }
  | { reason: 'currencies_differ'; license: string; period: Period; currencies: readonly string[] }

/** Everything that the rows of a license's month are made from; undefined for a month before the license. */
export async function loadMonth(
  tx: Tx,
  of: { billed: BilledLicense; period: Period; book: PriceBook; now: Instant; tax?: Tax | undefined },
): Promise<Result<LoadedMonth | undefined, MonthRefusal>> {
  const { billed, period, book } = of
  const month: Month = { ...billed, period }
  const facts = (await loadLicenses(tx, [billed.tenantId])).find(({ license }) => license === billed.license)
  const first = facts === undefined ? undefined : firstMonth(facts)
  const documents = await loadBilledDocuments(tx, month)
  if (facts === undefined || first === undefined || (period.start < first.start && documents.length === 0))
    return ok(undefined)
  const closings = await loadStandingClosings(tx, month)
  const closing = closings.find((one) => one.period.start === period.start)
  const others = othersOf(documents, closing)
  const made =
    closing === undefined
      ? await openBasis(tx, { month, facts, book, closings, first, now: of.now })
      : ok(closing.basis)
  if (!made.ok) return err({ reason: 'currencies_differ', license: billed.license, period, ...made.error })
  const basis = made.value
  const plans = [...book.values()].flat()
  const standing =
    closing === undefined
      ? await previewOf(tx, { month, billed, basis, closings, book, now: of.now, tax: of.tax ?? noTax })
      : parsed(documents.find(({ number }) => number === closing.invoice)?.document)
  const isFirstOpen = isNextToClose(closings, first, period)
  const own = await loadDayUse(tx, { ...month, which: 'own', isClosed: closing !== undefined })
  const late =
    closing !== undefined || isFirstOpen
      ? await loadDayUse(tx, { ...month, which: 'late', isClosed: closing !== undefined })
      : []
  const terms = [
    ...closings.filter((one) => one.period.start < period.start),
    ...(closing === undefined ? [] : [closing]),
  ]
  return ok({
    billed,
    facts,
    currency: basis.use.currency,
    standing,
    isProvisional: closing === undefined,
    detail: {
      charges: byKey(chargeDays(own, plans)),
      differences: await differences(tx, { month, closings, late, plans }),
      facilityPrices: facilityPrices(plans, basis),
      committed: new Set(
        plans
          .filter(({ terms: { commitment } }) => commitment !== undefined)
          .map((one) => `${one.plan}/${one.revision}`),
      ),
      creditTerm:
        basis.credit.boughtFor ??
        terms.findLast((one) => one.basis.credit.boughtFor !== undefined)?.basis.credit.boughtFor,
    },
    others,
    credits: creditsOf({ facts, book, terms, open: closing === undefined ? { basis, period } : undefined }),
    span: { start: earliest([period.start, ...late.map(({ day }) => monthOf(day).start)]), end: period.end },
  })
}

const earliest = (all: readonly Instant[]): Instant => instant(Math.min(...all))

const parsed = (text: string | undefined) => (text === undefined ? undefined : readDocument(text))

const othersOf = (documents: readonly BilledDocument[], closing: StandingClosing | undefined) =>
  documents
    .filter(({ number }) => number !== closing?.invoice)
    .map(({ document }) => readDocument(document))
    .map((document) => ({ document, isTakenBack: document.kind === 'invoice' }))

/** Late rows of earlier months that no month has counted count in the month that is closed next. */
function isNextToClose(closings: readonly StandingClosing[], first: Period, period: Period): boolean {
  const closed = new Set(closings.map((one) => one.period.start))
  return monthsFrom(first, period).every((month) => closed.has(month.start))
}

/** What an open month is rated from, as things stand. */
async function openBasis(
  tx: Tx,
  of: {
    month: Month
    facts: LicenseFacts
    book: PriceBook
    closings: readonly StandingClosing[]
    first: Period
    now: Instant
  },
): Promise<ReturnType<typeof makeBasis>> {
  const { month, facts, book, closings, first, now } = of
  const own = await loadDayUse(tx, { ...month, which: 'own', isClosed: false })
  const late = isNextToClose(closings, first, month.period)
    ? await loadDayUse(tx, { ...month, which: 'late', isClosed: false })
    : []
  const facilities = await loadFacilitySpans(tx, month.tenantId)
  const lateMonths = [...Map.groupBy(late, ({ day }) => monthOf(day).start)].toSorted(([a], [b]) => a - b)
  const frozen = {
    usage: quantitiesOf(own),
    late: lateMonths.map(([periodStart, use]) => ({ periodStart, usage: quantitiesOf(use) })),
  }
  return makeBasis(
    { license: facts, facilities, book, standing: closings, frozen },
    { period: month.period, knownAt: now },
  )
}

const planOf = ({ revisions }: LicenseFacts, book: PriceBook, { end }: Period): PlanRevision | undefined => {
  const revision = revisions.findLast(({ effectiveAt }) => effectiveAt < end)
  return revision === undefined ? undefined : planRevisionAt(book, revision.plan, end)
}

/** Days and regions do not tell quantities apart. What the ledger charged is not asked for here. */
const quantitiesOf = (use: readonly DayUse[]) =>
  use.map(({ licenseRevision, plan, planRevision, phase, facility, model, units }) => ({
    licenseRevision,
    plan,
    planRevision,
    phase,
    facility,
    model,
    units,
    listed: picos(0n),
  }))

async function previewOf(
  tx: Tx,
  of: {
    month: Month
    billed: BilledLicense
    basis: Basis
    closings: readonly StandingClosing[]
    book: PriceBook
    now: Instant
    tax: Tax
  },
): Promise<InvoiceDocument | undefined> {
  const { month, billed, basis, closings, book, now, tax } = of
  const composed = await composeInvoice(tx, {
    month,
    tenant: billed.tenant,
    closing: {
      closing: 0,
      closedAt: now,
      closedBy: '',
      checklist: [],
      rows: 0n,
      usageSha256: '',
      lateRows: 0n,
      lateSha256: '',
      basis,
    },
    standing: closings,
    book,
    tax,
  })
  if (composed.made.lines.length === 0) return undefined
  const number = `provisional-${monthName(month.period)}`
  return readDocument(invoiceDocument({ ...composed.head, number, kind: 'preview' }, composed.made.lines, undefined))
}

/** What late rows change of earlier months, day by day, under the keys of the lines that say so. */
async function differences(
  tx: Tx,
  of: {
    month: Month
    closings: readonly StandingClosing[]
    late: readonly DayUse[]
    plans: readonly PlanRevision[]
  },
): Promise<ReadonlyMap<string, readonly DayCharge[]>> {
  const { month, closings, late, plans } = of
  const found = new Map<string, readonly DayCharge[]>()
  const before = closings.filter((one) => one.period.start < month.period.start)
  for (const [start, added] of Map.groupBy(late, ({ day }) => monthOf(day).start)) {
    const period = monthOf(start)
    const own = await loadDayUse(tx, { ...month, period, which: 'own', isClosed: true })
    const since = []
    for (const one of before.filter(({ period: counting }) => counting.start > start)) {
      const counted = await loadDayUse(tx, { ...month, period: one.period, which: 'late', isClosed: true })
      since.push(...counted.filter(({ day }) => monthOf(day).start === start))
    }
    const charged = [...own, ...since]
    const changed = differencesOf(chargeDays(charged, plans), chargeDays([...charged, ...added], plans))
    for (const [key, some] of byKey(changed)) found.set(`correction/${monthName(period)}/${key}`, some)
  }
  return found
}

const byKey = (charges: readonly DayCharge[]): ReadonlyMap<string, readonly DayCharge[]> =>
  Map.groupBy(charges, ({ key }) => key)

function facilityPrices(plans: readonly PlanRevision[], { use }: Basis): MonthDetail['facilityPrices'] {
  const { daysInPeriod } = use
  return new Map(
    plans.flatMap(({ plan, revision, prices }) => {
      const price = prices.find(({ meter }) => meter === 'facility')
      return price === undefined
        ? []
        : [[`${plan}/${revision}`, { amount: fineOfPicos(parseAmount(price.amount) ?? 0n), daysInPeriod }] as const]
    }),
  )
}

function creditsOf(of: {
  facts: LicenseFacts
  book: PriceBook
  terms: readonly StandingClosing[]
  open: { basis: Basis; period: Period } | undefined
}): LoadedMonth['credits'] {
  const { facts, book, terms, open } = of
  const bought = [
    ...terms.map(({ basis, period }) => ({ basis, period })),
    ...(open === undefined ? [] : [open]),
  ].flatMap(({ basis, period }) =>
    basis.credit.boughtFor === undefined ? [] : [{ term: basis.credit.boughtFor, period }],
  )
  const left = terms.at(-1)?.creditLeft ?? 0n
  return new Map(
    bought.flatMap(({ term, period }, at) => {
      const planRevision = planOf(facts, book, period)
      // Credit is one sum: what is left is of the latest term that bought some.
      const isUsedUp = at < bought.length - 1 || (left === 0n && open === undefined)
      return planRevision === undefined ? [] : [[term, { planRevision, isUsedUp }] as const]
    }),
  )
}

/**
 * Whether the days add up to what each line costs before it is rounded. They do unless somebody altered a row: then the
 * first line that differs.
 */
export function findLineThatDiffers({ standing, detail }: LoadedMonth): number | undefined {
  return standing?.lines.find(({ kind, key, unrounded }) => {
    if (kind !== 'usage' && !(kind === 'correction' && key.split('/')[2] === 'usage')) return false
    const days = (kind === 'usage' ? detail.charges : detail.differences).get(key) ?? []
    return formatAmount(picosOf(sumFine(days.map(({ cost }) => cost)))) !== unrounded
  })?.line
}

/** As a rated line tells its cost: to a pico, half to even. */
const picosOf = (cost: Fine) => picos(roundHalfEven({ numerator: cost, denominator: 100n }, 1n))
