import { isoOf, picos, requestName, type Instant, type Json, type Picos, type Uuid } from '../../kernel/index.ts'
import type { CallPair, HostRow, LedgerRow, Units } from './call-pair.ts'
import type { ComparedCall } from './classify-call.ts'
import type { DifferenceClass } from './difference.ts'

/** A difference as a run finds it. */
export interface FoundDifference {
  readonly class: DifferenceClass
  readonly subject: string
  /** Undefined: nobody knows whose it is. */
  readonly tenantId: Uuid | undefined
  readonly license: string | undefined
  readonly ours: Units
  readonly theirs: Units
  readonly oursPicos: Picos
  readonly theirsPicos: Picos
  readonly currency: string | undefined
  /** The rows on both sides. */
  readonly facts: { readonly [key: string]: Json | undefined }
  /** What both sides say, without where it stands. */
  readonly fingerprint: string
}

/** So many rows of one side are kept with a difference; a call has one or two. */
const rowsKeptMax = 20

export function differenceOfCall(
  pair: CallPair,
  compared: ComparedCall & { readonly class: DifferenceClass },
  tenantIdOf: (tenant: string) => Uuid | undefined,
): FoundDifference {
  const { ours, theirs, oursPicos, theirsPicos, currency, license } = compared
  const tagged = pair.host.find(({ tenant }) => tenant !== undefined)?.tenant
  const named = pair.host.map(({ model, version, tenant }) => `${model}@${version ?? ''}/${tenant ?? ''}`)
  return {
    class: compared.class,
    subject: subjectOfCall(pair),
    tenantId: compared.tenantId ?? (tagged === undefined ? undefined : tenantIdOf(tagged)),
    license,
    ours,
    theirs,
    oursPicos,
    theirsPicos,
    currency,
    facts: {
      request: pair.requestId === undefined ? undefined : requestName(pair.requestId),
      ours: { input: String(ours.input), output: String(ours.output) },
      theirs: { input: String(theirs.input), output: String(theirs.output) },
      ledger: pair.ledger.slice(0, rowsKeptMax).map(ledgerFacts),
      host: pair.host.slice(0, rowsKeptMax).map(hostFacts),
    },
    fingerprint: [
      ...[ours.input, ours.output, oursPicos, theirs.input, theirs.output].map(String),
      ...new Set(named.toSorted()),
    ].join(' '),
  }
}

const subjectOfCall = ({ requestId, host: [row] }: CallPair): string =>
  requestId === undefined ? `call/${row?.deployment}/${row?.line}` : `call/${requestId}`

const ledgerFacts = (row: LedgerRow): Json => ({
  book: row.book,
  tenant: row.tenant,
  startedAt: row.startedAtText,
  attempt: row.attempt,
  outcome: row.outcome,
  model: `${row.model}@${row.version}`,
  deployment: row.deployment,
  requests: row.requests,
  input: String(row.inputTokens + row.inferences),
  output: String(row.outputTokens),
  charge: String(row.charge),
})

const hostFacts = (row: HostRow): Json => ({
  book: row.book,
  deployment: row.deployment,
  report: row.reportId,
  line: row.line,
  at: isoOf(row.at),
  attempt: row.attempt,
  model: row.version === undefined ? row.model : `${row.model}@${row.version}`,
  tenant: row.tenant,
  status: row.status,
  input: String(row.inputUnits),
  output: String(row.outputUnits),
})

/** One hour of one meter of a tenant, as the ledger, our reports and Stripe have it. */
export interface MeterHour {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly meter: string
  readonly hour: Instant
  readonly ledger: bigint
  /** Our last report of the hour; undefined where none was written. */
  readonly last: { readonly revision: number; readonly quantity: bigint; readonly state: string } | undefined
  /** The totals of all our reports of the hour. */
  readonly reported: readonly bigint[]
  readonly stripe: bigint | undefined
}

export const differenceOfHour = (of: MeterHour, differenceClass: DifferenceClass): FoundDifference => ({
  class: differenceClass,
  subject: `hour/${of.tenantId}/${of.meter}/${isoOf(of.hour)}`,
  tenantId: of.tenantId,
  license: undefined,
  ours: { input: of.ledger, output: 0n },
  theirs: { input: of.stripe ?? 0n, output: 0n },
  oursPicos: picos(0n),
  theirsPicos: picos(0n),
  currency: undefined,
  facts: {
    tenant: of.tenant,
    meter: of.meter,
    hour: isoOf(of.hour),
    ledger: String(of.ledger),
    reported:
      of.last === undefined
        ? undefined
        : { revision: of.last.revision, quantity: String(of.last.quantity), state: of.last.state },
    stripe: of.stripe === undefined ? undefined : String(of.stripe),
  },
  fingerprint: `${of.ledger} ${of.last?.quantity ?? ''} ${of.stripe ?? ''}`,
})

/** One line of an invoice, as it was issued and as Stripe has it. */
export interface InvoicePair {
  readonly tenantId: Uuid
  readonly license: string
  readonly invoice: string
  readonly currency: string
  /** Undefined: no line of ours. */
  readonly line: number | undefined
  readonly stripeLine: string | undefined
  readonly ours: Picos | undefined
  readonly theirs: Picos | undefined
}

export const differenceOfLine = (of: InvoicePair, differenceClass: DifferenceClass): FoundDifference => ({
  class: differenceClass,
  subject: `line/${of.invoice}/${of.line ?? of.stripeLine}`,
  tenantId: of.tenantId,
  license: of.license,
  ours: { input: 0n, output: 0n },
  theirs: { input: 0n, output: 0n },
  oursPicos: of.ours ?? picos(0n),
  theirsPicos: of.theirs ?? picos(0n),
  currency: of.currency,
  facts: {
    invoice: of.invoice,
    line: of.line,
    stripeLine: of.stripeLine,
    ours: of.ours === undefined ? undefined : String(of.ours),
    theirs: of.theirs === undefined ? undefined : String(of.theirs),
  },
  fingerprint: `${of.ours ?? ''} ${of.theirs ?? ''}`,
})
