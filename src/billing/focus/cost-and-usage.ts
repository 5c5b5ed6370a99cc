import type { Instant } from '../../kernel/index.ts'
import { monthOf, type Period } from '../month.ts'
import type { UsageMeter } from '../prices.ts'
import type { DocumentLine } from '../read-document.ts'
import type { CostAndUsageRow } from './columns.ts'
import type { DayCharge } from './charge-days.ts'
import { commitmentId, creditId } from './commitments.ts'
import { focusTime } from './focus-time.ts'
import { fine, formatFine, isEvenProduct, multiplyFine, parseFine, sumFine, wholeFine, type Fine } from './fine.ts'

/** What every row of one license's month says. */
export interface RowsOf {
  readonly seller: string
  readonly tenant: string
  readonly tenantName: string
  readonly license: string
  readonly currency: string
  /** The month in which it is billed. */
  readonly period: Period
  /** The invoice or credit note; undefined while the month is open, and its figures may change. */
  readonly invoice: string | undefined
  readonly models: ReadonlyMap<string, { readonly title: string; readonly protocol: string }>
}

/** What is known of a license's month beside the lines of its invoice. */
export interface MonthDetail {
  /** By the key of the line. */
  readonly charges: ReadonlyMap<string, readonly DayCharge[]>
  /** By the key of the correction's line. */
  readonly differences: ReadonlyMap<string, readonly DayCharge[]>
  /** What a facility costs a month, and the days of the month, by `plan/revision`. */
  readonly facilityPrices: ReadonlyMap<string, { readonly amount: Fine; readonly daysInPeriod: number }>
  /** The plans that promise a least amount a month, as `plan/revision`: what is charged under them counts toward it. */
  readonly committed: ReadonlySet<string>
  /** The term that credit was bought for with this month or an earlier one. */
  readonly creditTerm: Instant | undefined
}

/**
 * The rows of an invoice's line, or of what would be one. Whatever has a price is a row with that price; the difference to
 * what the line charges each facility (it is rounded once, and split by largest remainder) is a row of its own, so that the
 * billed costs of a line, of a facility and of the invoice add up to what stands there.
 */
export function costAndUsageRows(of: RowsOf, line: DocumentLine, detail: MonthDetail): readonly CostAndUsageRow[] {
  switch (line.kind) {
    case 'usage':
      return pricedRows(of, line, detail, detail.charges.get(line.key) ?? [])
    case 'correction':
      return pricedRows(of, line, detail, detail.differences.get(line.key) ?? [])
    case 'facility':
      return facilityRows(of, line, detail)
    case 'commitment':
      return [{ ...amountRow(of, line, 'Adjustment'), ...applied(of, line, detail, parseFine(line.amount)) }]
    case 'credit_bought':
      return [creditBoughtRow(of, line, detail)]
    case 'credit_used':
      return [creditUsedRow(of, line, detail)]
    case 'tax':
      return [amountRow(of, line, 'Tax')]
    default:
      return line.kind
  }
}

/**
 * The rows of a document of which no days are told: a credit note, and an invoice that was taken back when its month was
 * opened again. One per facility's share.
 */
export function documentRows(
  of: RowsOf,
  line: DocumentLine,
  as: { isCorrection: boolean; corrects: string | undefined },
): readonly CostAndUsageRow[] {
  const category = as.isCorrection ? categoryOf(line) : plainCategory[line.kind]
  const parts = line.shares.length > 0 ? line.shares : [undefined]
  return parts.map((share) => ({
    ...amountRow(of, line, category, share),
    ChargeClass: as.isCorrection ? 'Correction' : undefined,
    x_CorrectsInvoiceId: as.corrects ?? line.corrects?.document,
    x_CorrectsInvoiceDetailId: as.corrects === undefined ? undefined : String(line.line),
  }))
}

const plainCategory = {
  usage: 'Adjustment',
  facility: 'Adjustment',
  commitment: 'Adjustment',
  correction: 'Adjustment',
  credit_bought: 'Adjustment',
  credit_used: 'Credit',
  tax: 'Tax',
} as const

/** What FOCUS calls the charge of a line. */
export function categoryOf({ kind, key }: DocumentLine): string {
  switch (kind) {
    case 'usage':
      return 'Usage'
    case 'facility':
    case 'credit_bought':
      return 'Purchase'
    case 'correction':
      return key.split('/')[2] === 'usage' ? 'Usage' : 'Adjustment'
    case 'commitment':
      return 'Adjustment'
    case 'credit_used':
      return 'Credit'
    case 'tax':
      return 'Tax'
    default:
      return kind
  }
}

function pricedRows(
  of: RowsOf,
  line: DocumentLine,
  detail: MonthDetail,
  charges: readonly DayCharge[],
): readonly CostAndUsageRow[] {
  const rows = charges.map((charge) => chargeRow(of, line, detail, charge))
  const cost = (facility: string) => sumFine(charges.filter((one) => one.facility === facility).map((one) => one.cost))
  const named = new Set(line.shares.map(({ facility }) => facility))
  const shares = [
    ...line.shares,
    // A day's price may have moved for a facility whose share of the line has not.
    ...[...new Set(charges.map(({ facility }) => facility))]
      .filter((facility) => !named.has(facility))
      .map((facility) => ({ facility, name: facility, quantity: '0', amount: '0' })),
  ]
  const parts = shares.length > 0 ? shares : [{ facility: '', name: '', quantity: '0', amount: line.amount }]
  return [
    ...rows,
    ...parts.flatMap((share) =>
      roundingRows(of, line, detail, share, fine(parseFine(share.amount) - cost(share.facility))),
    ),
  ]
}

function chargeRow(of: RowsOf, line: DocumentLine, detail: MonthDetail, charge: DayCharge): CostAndUsageRow {
  const { segment, cost, model, meter, facility, region, day } = charge
  const sku = `${model}/${meter}`
  const amount = formatFine(cost)
  const share = line.shares.find((one) => one.facility === facility)
  return {
    ...amountRow(of, line, 'Usage', share ?? { facility, name: facility, amount: '0' }),
    ...serviceOf(of, model),
    BilledCost: amount,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: focusTime(day),
    ChargePeriodEnd: focusTime((day + dayMs) as Instant),
    ConsumedQuantity: String(segment.units),
    ConsumedUnit: units[meter],
    ContractedCost: amount,
    ContractedUnitPrice: formatFine(segment.contractedPrice),
    EffectiveCost: amount,
    ListCost: formatFine(multiplyFine(segment.listPrice, segment.quantity)),
    ListUnitPrice: formatFine(segment.listPrice),
    PricingCategory: 'Standard',
    PricingQuantity: formatFine(segment.quantity),
    PricingUnit: segment.per === 1n ? units[meter] : `${segment.per} ${units[meter]}`,
    RegionId: region,
    RegionName: region,
    SkuId: sku,
    SkuMeter: meters[meter],
    SkuPriceDetails: JSON.stringify({ x_Plan: charge.plan, x_Step: segment.step }),
    SkuPriceId: `${sku}/${charge.plan}/${segment.step}`,
    ...applied(of, line, detail, cost),
  }
}

const units: Readonly<Record<UsageMeter, string>> = {
  input_tokens: 'Tokens',
  output_tokens: 'Tokens',
  requests: 'Requests',
  inferences: 'Inferences',
}
const meters: Readonly<Record<UsageMeter, string>> = {
  input_tokens: 'Input Tokens',
  output_tokens: 'Output Tokens',
  requests: 'Requests',
  inferences: 'Inferences',
}

/** One row a facility: its days of the month at the month's price. Months do not come out even in days: the rest is rounding. */
function facilityRows(of: RowsOf, line: DocumentLine, detail: MonthDetail): readonly CostAndUsageRow[] {
  const price = detail.facilityPrices.get(`${line.plan}/${line.planRevision}`)
  return line.shares.flatMap((share) => {
    if (price === undefined) return roundingRows(of, line, detail, share, parseFine(share.amount))
    const quantity = monthsOf(BigInt(share.quantity), price)
    const cost = multiplyFine(price.amount, quantity)
    const amount = formatFine(cost)
    return [
      {
        ...amountRow(of, line, 'Purchase', share),
        BilledCost: amount,
        ChargeFrequency: 'Recurring',
        ContractedCost: amount,
        ContractedUnitPrice: formatFine(price.amount),
        EffectiveCost: amount,
        ListCost: amount,
        ListUnitPrice: formatFine(price.amount),
        PricingCategory: 'Standard',
        PricingQuantity: formatFine(quantity),
        PricingUnit: 'Months',
        SkuId: 'facility',
        SkuMeter: 'Facilities',
        SkuPriceDetails: JSON.stringify({ x_Plan: line.plan }),
        SkuPriceId: `facility/${line.plan}/month`,
        ...applied(of, line, detail, cost),
      },
      ...roundingRows(of, line, detail, share, fine(parseFine(share.amount) - cost)),
    ]
  })
}

/** So many months as so many days are, with as many places as leave its product with the price even. */
function monthsOf(days: bigint, { amount, daysInPeriod }: { amount: Fine; daysInPeriod: number }): Fine {
  const exact = wholeFine(days)
  for (let coarse = 1n; ; coarse *= 10n) {
    const quantity = fine((exact / (BigInt(daysInPeriod) * coarse)) * coarse)
    if (isEvenProduct(amount, quantity)) return quantity
  }
}

function creditBoughtRow(of: RowsOf, line: DocumentLine, detail: MonthDetail): CostAndUsageRow {
  return {
    ...amountRow(of, line, 'Purchase'),
    ChargeFrequency: 'One-Time',
    ContractedUnitPrice: '1',
    // It pays for use, which has its own effective cost: what is bought here has none.
    EffectiveCost: '0',
    ListUnitPrice: '1',
    PricingCategory: 'Standard',
    PricingQuantity: formatFine(parseFine(line.amount)),
    PricingUnit: 'Credits',
    SkuId: 'prepaid-credit',
    SkuMeter: 'Prepaid Credit',
    SkuPriceId: 'prepaid-credit/unit',
    ...creditApplied(of, detail, parseFine(line.amount)),
  }
}

/** What the credit pays is a row of its own, as on the invoice: the use that it pays keeps its cost. */
const creditUsedRow = (of: RowsOf, line: DocumentLine, detail: MonthDetail): CostAndUsageRow => ({
  ...amountRow(of, line, 'Credit'),
  EffectiveCost: '0',
  ...creditApplied(of, detail, fine(0n - parseFine(line.amount))),
})

function roundingRows(
  of: RowsOf,
  line: DocumentLine,
  detail: MonthDetail,
  share: { facility: string; name: string },
  amount: Fine,
): readonly CostAndUsageRow[] {
  if (amount === 0n) return []
  return [
    {
      ...amountRow(of, line, 'Adjustment', { ...share, amount: formatFine(amount) }),
      ChargeDescription: `Rounding and split of line ${line.line}: ${line.description}`,
      ...applied(of, line, detail, amount),
    },
  ]
}

/** What a row says whatever it charges for; without a price, its costs are what is billed. */
function amountRow(
  of: RowsOf,
  line: DocumentLine,
  category: string,
  share?: { facility: string; name: string; amount: string },
): CostAndUsageRow {
  const amount = formatFine(parseFine(share?.amount ?? line.amount))
  const isCorrection = line.kind === 'correction'
  const facility = share === undefined || share.facility === '' ? undefined : share
  return {
    BilledCost: amount,
    BillingAccountId: of.tenant,
    BillingAccountName: of.tenantName,
    BillingCurrency: of.currency,
    BillingPeriodStart: focusTime(of.period.start),
    BillingPeriodEnd: focusTime(of.period.end),
    ChargeCategory: category,
    ChargeClass: isCorrection ? 'Correction' : undefined,
    ChargeDescription: line.description,
    ChargeFrequency: 'One-Time',
    ChargePeriodStart: focusTime(line.usagePeriod.start),
    ChargePeriodEnd: focusTime(line.usagePeriod.end),
    ContractedCost: amount,
    EffectiveCost: amount,
    HostProviderName: of.seller,
    InvoiceDetailId: of.invoice === undefined ? undefined : String(line.line),
    InvoiceId: of.invoice,
    InvoiceIssuerName: of.seller,
    ListCost: amount,
    ...ofLicense,
    ServiceProviderName: of.seller,
    SubAccountId: facility === undefined ? undefined : `${of.tenant}/${facility.facility}`,
    SubAccountName: facility?.name,
    x_CorrectsInvoiceDetailId: line.corrects?.line === undefined ? undefined : String(line.corrects.line),
    x_CorrectsInvoiceId: line.corrects?.document,
    x_IsProvisional: of.invoice === undefined ? 'true' : 'false',
    x_LicenseId: of.license,
    x_LicenseRevision: line.licenseRevision === undefined ? undefined : String(line.licenseRevision),
    x_LineKind: line.kind,
    x_Phase: line.phase,
    x_PlanName: line.plan,
    x_PlanRevision: line.planRevision === undefined ? undefined : String(line.planRevision),
  }
}

/** The service of what is no model's. */
const ofLicense = {
  ServiceCategory: 'AI and Machine Learning',
  ServiceName: 'Model license',
  ServiceSubcategory: 'AI Platforms',
} as const

function serviceOf({ models }: RowsOf, model: string): CostAndUsageRow {
  const known = models.get(model)
  return {
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: known?.title ?? model,
    ServiceSubcategory: known?.protocol === 'open-inference' ? 'Machine Learning' : 'Generative AI',
  }
}

/** What a charge counts toward the least amount of its month. */
function applied(of: RowsOf, line: DocumentLine, { committed }: MonthDetail, cost: Fine): CostAndUsageRow {
  const { plan, planRevision } = line
  if (plan === undefined || planRevision === undefined || !committed.has(`${plan}/${planRevision}`)) return {}
  // A correction is of a month whose least amount was settled: it moves that month's, which has the same name.
  const id = commitmentId({ license: of.license, kind: 'minimum', plan, planRevision })
  return { ContractApplied: elementOf(of.license, id, cost) }
}

const creditApplied = (of: RowsOf, { creditTerm }: MonthDetail, cost: Fine): CostAndUsageRow =>
  creditTerm === undefined ? {} : { ContractApplied: elementOf(of.license, creditId(of.license, creditTerm), cost) }

/** The cost is a JSON number with all its digits, as FOCUS wants it; `JSON.stringify` would make a float of it. */
const elementOf = (license: string, commitment: string, cost: Fine): string =>
  `{"Elements":[{"ContractId":${JSON.stringify(license)},"ContractCommitmentId":${JSON.stringify(commitment)},` +
  `"ContractCommitmentAppliedCost":${formatFine(cost)}}]}`

const dayMs = 86_400_000

/** The month in which a credit note is billed: the one in which it was issued. */
export const billedIn = (issuedAt: Instant): Period => monthOf(issuedAt)
