import { isoOf, parseAmount, type Instant } from '../../kernel/index.ts'
import type { LicenseFacts, LicenseRevision } from '../../licensing/index.ts'
import type { Period } from '../month.ts'
import { planRevisionAt, type PlanRevision, type PriceBook } from '../prices.ts'
import type { ContractCommitmentRow } from './columns.ts'
import { focusTime } from './focus-time.ts'
import { fineOfPicos, formatFine } from './fine.ts'

/** What a plan makes the holder of a license promise: a least amount a month, or credit bought at the start of a term. */
export type CommitmentKind = 'minimum' | 'credit'

/** The identifier of a promise under a revision of a plan, or, of credit, in a term of a license. */
export const commitmentId = (of: { license: string; kind: 'minimum'; plan: string; planRevision: number }): string =>
  `${of.license}/minimum/${of.plan}@${of.planRevision}`
export const creditId = (license: string, termStart: Instant): string =>
  `${license}/credit/${isoOf(termStart).slice(0, 10)}`

export interface CommitmentFacts {
  readonly seller: string
  readonly tenant: string
  readonly facts: LicenseFacts
  readonly book: PriceBook
  readonly period: Period
  /** When the files say how things stand. */
  readonly asOf: Instant
  /** Terms in which credit was bought up to the end of the period, by their start, and whether any of it is left. */
  readonly credits: ReadonlyMap<Instant, { readonly planRevision: PlanRevision; readonly isUsedUp: boolean }>
}

/** The promises that touch a month, one row each. */
export function contractCommitmentRows(facts: CommitmentFacts): readonly ContractCommitmentRow[] {
  return [...minimumRows(facts), ...creditRows(facts)]
}

function minimumRows(facts: CommitmentFacts): readonly ContractCommitmentRow[] {
  const { period, book, facts: license } = facts
  const held = license.revisions.filter((revision) => touches(revision, period))
  const rows = new Map<string, ContractCommitmentRow>()
  for (const revision of held)
    for (const plan of plansDuring(book, revision, period)) {
      const amount = parseAmount(plan.terms.commitment ?? '0') ?? 0n
      const id = commitmentId({
        license: license.license,
        kind: 'minimum',
        plan: plan.plan,
        planRevision: plan.revision,
      })
      if (amount === 0n) continue
      rows.set(id, {
        ...common(facts, revision, plan),
        ContractCommitmentId: id,
        ContractCommitmentBenefitCategory: 'Other',
        ContractCommitmentCost: formatFine(fineOfPicos(amount)),
        ContractCommitmentDescription: 'The least that a month of the term costs',
        ContractCommitmentFulfillmentInterval: 'Monthly',
        ContractCommitmentPaymentInterval: 'Monthly',
        ContractCommitmentPaymentModel: 'No Upfront',
        ContractCommitmentType: 'Minimum monthly spend',
        ContractCommitmentLifecycleStatus: statusOf(revision, facts.asOf),
      })
    }
  return [...rows.values()]
}

function creditRows(facts: CommitmentFacts): readonly ContractCommitmentRow[] {
  const { facts: license } = facts
  return [...facts.credits].flatMap(([termStart, { planRevision: plan, isUsedUp }]) => {
    const revision = license.revisions.findLast((one) => one.termStart === termStart)
    if (revision === undefined) return []
    const status = statusOf(revision, facts.asOf)
    return [
      {
        ...common(facts, revision, plan),
        ContractCommitmentId: creditId(license.license, termStart),
        ContractCommitmentBenefitCategory: 'Entitlement',
        ContractCommitmentCost: formatFine(fineOfPicos(parseAmount(plan.terms.credit ?? '0') ?? 0n)),
        ContractCommitmentDescription: 'Credit bought with the first month of the term, used before money is asked for',
        ContractCommitmentFulfillmentInterval: 'Full Period',
        ContractCommitmentPaymentInterval: 'One-Time',
        ContractCommitmentPaymentModel: 'All Upfront',
        ContractCommitmentType: 'Prepaid credit',
        ContractCommitmentLifecycleStatus: status === 'Active' && isUsedUp ? 'Exhausted' : status,
      },
    ]
  })
}

const common = (
  { seller, tenant, facts }: CommitmentFacts,
  revision: LicenseRevision,
  { plan, revision: planRevision, currency }: PlanRevision,
): ContractCommitmentRow => {
  const first = facts.revisions[0] ?? revision
  const last = facts.revisions.reduce((latest, one) => (one.termEnd > latest.termEnd ? one : latest), revision)
  return {
    BillingCurrency: currency,
    ContractCommitmentApplicability: JSON.stringify({
      InclusionOperator: 'And',
      Inclusions: [
        { Dimension: 'BillingAccountId', Operator: 'In', Values: [tenant] },
        { Dimension: 'x_LicenseId', Operator: 'In', Values: [facts.license] },
      ],
    }),
    ContractCommitmentCategory: 'Spend',
    ContractCommitmentCreated: focusTime(revision.recordedAt),
    ContractCommitmentDurationType: durationOf(revision),
    ContractCommitmentLastUpdated: focusTime(revision.recordedAt),
    ContractCommitmentModel: 'Discontinuous',
    ContractCommitmentOfferCategory: 'Negotiated',
    ContractCommitmentPeriodEnd: focusTime(revision.termEnd),
    ContractCommitmentPeriodStart: focusTime(revision.termStart),
    ContractId: facts.license,
    ContractPeriodEnd: focusTime(last.termEnd),
    ContractPeriodStart: focusTime(first.termStart < revision.termStart ? first.termStart : revision.termStart),
    InvoiceIssuerName: seller,
    ServiceProviderName: seller,
    x_BillingAccountId: tenant,
    x_PlanName: plan,
    x_PlanRevision: String(planRevision),
  }
}

const touches = ({ termStart, termEnd, effectiveAt }: LicenseRevision, { start, end }: Period): boolean =>
  termStart < end && termEnd > start && effectiveAt < end

/** The revisions of its plan that held on a day of the month. */
const plansDuring = (book: PriceBook, { plan }: LicenseRevision, { start, end }: Period): readonly PlanRevision[] => {
  const first = planRevisionAt(book, plan, start)
  return (book.get(plan) ?? []).filter((one) => one === first || (one.effectiveAt > start && one.effectiveAt < end))
}

const statusOf = ({ termStart, termEnd }: LicenseRevision, asOf: Instant): string =>
  asOf < termStart ? 'Pending' : asOf < termEnd ? 'Active' : 'Expired'

const dayMs = 86_400_000
/** "1 Year", "18 Months", "10 Days": in the longest unit that comes out even, to within a day that a change of clocks moves. */
function durationOf({ termStart, termEnd }: LicenseRevision): string {
  const [from, to] = [new Date(termStart), new Date(termEnd)]
  const months = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
  const even = new Date(
    Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months, from.getUTCDate(), from.getUTCHours()),
  )
  const isMonths = months > 0 && Math.abs(even.getTime() - termEnd) < dayMs
  if (isMonths && months % 12 === 0) return counted(months / 12, 'Year')
  return isMonths ? counted(months, 'Month') : counted(Math.max(1, Math.round((termEnd - termStart) / dayMs)), 'Day')
}
const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`
