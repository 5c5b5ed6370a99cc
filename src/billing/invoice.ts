import {
  assertNever,
  canonicalJson,
  formatAmount,
  isoOf,
  picos,
  type Instant,
  type Json,
  type Picos,
} from '../kernel/index.ts'
import type { Basis } from './basis.ts'
import type { LineCorrection } from './correct-period.ts'
import { formatMoney } from './currency.ts'
import { monthName, type Period } from './month.ts'
import type { UsageMeter } from './prices.ts'
import type { RatedLine, Share } from './rate-period.ts'
import type { CreditSettled } from './settle-credit.ts'

export const lineKinds = [
  'usage',
  'facility',
  'commitment',
  'correction',
  'credit_bought',
  'credit_used',
  'tax',
] as const
export type LineKind = (typeof lineKinds)[number]

/** A line of an invoice or of a credit note. Its amount is a whole multiple of the currency's smallest unit. */
export interface InvoiceLine {
  readonly line: number
  readonly kind: LineKind
  /** What the rating called it; corrections and credits have keys of their own. */
  readonly key: string
  /** What is charged, when it is a charge of the rating or a correction of one. */
  readonly rated: RatedLine | undefined
  /** The month that it charges for. */
  readonly usagePeriod: Period
  readonly description: string
  readonly quantity: bigint
  readonly exact: Picos
  readonly amount: Picos
  readonly shares: readonly Share[]
  readonly corrects: { readonly document: string; readonly line: number | undefined } | undefined
}

/** A correction with where the corrected line stands. */
export interface PeriodCorrection {
  readonly period: Period
  readonly document: string
  readonly line: number | undefined
  readonly correction: LineCorrection
}

export interface TaxLine {
  readonly name: string
  readonly amount: Picos
}
/** What an authority takes on top of a period's charges: whoever knows the rules gives this. Whole smallest units. */
export type Tax = (charges: readonly InvoiceLine[], currency: string) => readonly TaxLine[]
/** Nobody has said that there is a tax. */
export const noTax: Tax = () => []

/** The lines of a period's invoice, in the order in which they are printed. Their amounts add up to its total. */
export function invoiceLines(facts: {
  period: Period
  currency: string
  rated: readonly RatedLine[]
  corrections: readonly PeriodCorrection[]
  credit: CreditSettled
  tax: Tax
}): readonly InvoiceLine[] {
  const { period, currency, rated, corrections, credit, tax } = facts
  const charges: readonly Unnumbered[] = [
    ...rated.map((line) => ({ ...plain, ...line, rated: line, usagePeriod: period, description: describe(line) })),
    ...corrections.map(({ period: corrected, document, line, correction }) => ({
      ...plain,
      ...correction,
      kind: 'correction' as const,
      key: `correction/${monthName(corrected)}/${correction.key}`,
      rated: correction.line,
      usagePeriod: corrected,
      description: `Correction of ${monthName(corrected)}: ${describe(correction.line)}`,
      corrects: { document, line },
    })),
  ]
  const taxes = tax(numbered(charges), currency).map(({ name, amount }, at) =>
    amountOnly('tax', { key: `tax/${at + 1}`, description: name, amount, period }),
  )
  return numbered([
    ...charges,
    ...(credit.bought === 0n
      ? []
      : [
          amountOnly('credit_bought', {
            key: 'credit/bought',
            description: 'Prepaid credit for the term',
            amount: credit.bought,
            period,
          }),
        ]),
    ...(credit.used === 0n
      ? []
      : [
          amountOnly('credit_used', {
            key: 'credit/used',
            description: 'Paid from prepaid credit',
            amount: picos(0n - credit.used),
            period,
          }),
        ]),
    ...taxes,
  ])
}

type Unnumbered = Omit<InvoiceLine, 'line'>
const plain = { corrects: undefined, shares: [] } as const

const numbered = (lines: readonly Unnumbered[]): readonly InvoiceLine[] =>
  lines.map(({ kind, key, rated, usagePeriod, description, quantity, exact, amount, shares, corrects }, at) => ({
    line: at + 1,
    kind,
    key,
    rated,
    usagePeriod,
    description,
    quantity,
    exact,
    amount,
    shares,
    corrects,
  }))

const amountOnly = (
  kind: LineKind,
  { key, description, amount, period }: { key: string; description: string; amount: Picos; period: Period },
): Unnumbered => ({
  ...plain,
  kind,
  key,
  rated: undefined,
  usagePeriod: period,
  description,
  quantity: 0n,
  exact: amount,
  amount,
})

export const meterWords: Readonly<Record<UsageMeter, string>> = {
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  requests: 'requests',
  inferences: 'inferences',
}

/** A line in the words of who pays it. */
function describe({ kind, model, meter, phase }: RatedLine): string {
  switch (kind) {
    case 'usage': {
      const under = phase === 'grace' ? ', in the days of grace' : phase === 'evaluation' ? ', evaluation' : ''
      return `${model}, ${meter === undefined ? '' : meterWords[meter]}${under}`
    }
    case 'facility':
      return 'Facilities, by day of the term'
    case 'commitment':
      return 'To the minimum commitment of the month'
    default:
      return assertNever(kind, 'describe')
  }
}

export const totalOf = (lines: readonly { readonly amount: Picos }[]): Picos =>
  picos(lines.reduce((sum, { amount }) => sum + amount, 0n))

/** A preview is what a month that is open would come to; nobody owes anything on it. */
export const documentKinds = ['invoice', 'credit_note', 'preview'] as const
export type DocumentKind = (typeof documentKinds)[number]

/** What stands on an invoice beside its lines. */
export interface InvoiceHead {
  readonly kind: DocumentKind
  readonly number: string
  /** Of a preview: as of when. */
  readonly issuedAt: Instant
  readonly seller: string
  readonly buyer: { readonly tenant: string; readonly name: string }
  readonly license: string
  readonly period: Period
  readonly currency: string
  readonly facilities: ReadonlyMap<string, string>
  /** Of a credit note. */
  readonly credits: string | undefined
  readonly reason: string | undefined
}

/** What a tenant needs to make the lines again from its own export. */
export interface InvoiceProof {
  readonly rows: bigint
  readonly usageSha256: string
  readonly lateRows: bigint
  readonly lateSha256: string
  /** Digests of the plan revisions, by `plan/revision`. */
  readonly plans: readonly { readonly plan: string; readonly revision: number; readonly sha256: string }[]
  readonly basis: Basis
  readonly credit: CreditSettled
}

/** The one text of an invoice (RFC 8785), the same whenever it is made again. Amounts are decimals in text. */
export function invoiceDocument(
  head: InvoiceHead,
  lines: readonly InvoiceLine[],
  proof: InvoiceProof | undefined,
): string {
  const { currency } = head
  const money = (amount: Picos) => formatMoney(amount, currency)
  const document: Json = {
    number: head.number,
    kind: head.kind,
    issuedAt: isoOf(head.issuedAt),
    seller: head.seller,
    buyer: { tenant: head.buyer.tenant, name: head.buyer.name },
    license: head.license,
    period: periodDocument(head.period),
    currency,
    credits: head.credits,
    reason: head.reason,
    lines: lines.map((line) => ({
      line: line.line,
      kind: line.kind,
      key: line.key,
      description: line.description,
      usagePeriod: periodDocument(line.usagePeriod),
      plan: line.rated?.plan,
      planRevision: line.rated?.planRevision,
      licenseRevision: line.rated?.licenseRevision,
      phase: line.rated?.phase,
      model: line.rated?.model,
      meter: line.rated?.meter,
      quantity: String(line.quantity),
      unrounded: formatAmount(line.exact),
      amount: money(line.amount),
      shares: line.shares.map(({ facility, quantity, amount }) => ({
        facility,
        name: head.facilities.get(facility) ?? facility,
        quantity: String(quantity),
        amount: money(amount),
      })),
      corrects: line.corrects,
    })),
    total: money(totalOf(lines)),
    proof: proof === undefined ? undefined : proofDocument(proof, money),
  }
  return canonicalJson(document)
}

const periodDocument = ({ start, end }: Period) => ({ start: isoOf(start), end: isoOf(end) })

const proofDocument = (proof: InvoiceProof, money: (amount: Picos) => string) => ({
  rows: String(proof.rows),
  usageSha256: proof.usageSha256,
  lateRows: String(proof.lateRows),
  lateSha256: proof.lateSha256,
  plans: proof.plans.map(({ plan, revision, sha256 }) => ({ plan, revision, sha256 })),
  daysInPeriod: proof.basis.use.daysInPeriod,
  termDays: proof.basis.use.termDays.map(({ plan, planRevision, days }) => ({ plan, planRevision, days })),
  facilityDays: proof.basis.use.facilityDays.map(({ plan, planRevision, facility, days }) => ({
    plan,
    planRevision,
    facility,
    days,
  })),
  conditions: proof.basis.conditions.map(({ revision, termEnd, evaluation }) => ({
    revision,
    termEnd: isoOf(termEnd),
    evaluation,
  })),
  credit: {
    before: money(proof.basis.credit.balance),
    bought: money(proof.credit.bought),
    used: money(proof.credit.used),
    after: money(proof.credit.left),
  },
})
