import type { Instant } from '../kernel/index.ts'
import type { PriceShape } from './price-shape.ts'

/** The cumulative total of one hour, for the customer and meter that the sink knows. */
export interface UsageReport {
  readonly customer: string
  readonly eventName: string
  readonly hour: Instant
  readonly quantity: bigint
  /** The same in every attempt of this revision. */
  readonly identifier: string
  readonly idempotencyKey: string
}

/** `refused`: it will never be taken in this form. */
export type ReportOutcome = 'taken' | 'refused'

export interface InvoiceLine {
  /** Unique within the invoice, so that an interrupted push finds what it has added. */
  readonly line: string
  readonly description: string
  /** Smallest units of the currency. */
  readonly amountMinor: bigint
  /** What is sold, where it is one thing. */
  readonly sku?: string | undefined
}

export interface InvoicePush {
  /** Our number. */
  readonly invoice: string
  readonly customer: string
  /** ISO 4217, upper case. */
  readonly currency: string
  readonly lines: readonly InvoiceLine[]
  readonly idempotencyKey: string
}

export interface CreditPush {
  /** Our number. */
  readonly invoice: string
  /** The invoice that it takes back, as the service calls it. */
  readonly credits: string
  /** Above zero. */
  readonly amountMinor: bigint
  readonly reason: string
  readonly idempotencyKey: string
}

export interface PriceWish {
  /** One for each thing sold and revision of a plan. */
  readonly lookupKey: string
  readonly product: string
  /** ISO 4217, upper case. */
  readonly currency: string
  /** Whose count it prices; none of what is not counted. */
  readonly meterId: string | undefined
  readonly shape: PriceShape
}

export interface PriceThere {
  readonly price: string
  /** As it is there, which may not be as it was wished. */
  readonly shape: PriceShape
}

export interface LineThere {
  /** Our name of the line; undefined of one that we did not send. */
  readonly line: string | undefined
  readonly amountMinor: bigint
}

/** An invoice or a credit note as it stands at the service. Of a credit note the amounts are below zero. */
export interface InvoiceThere {
  readonly id: string
  /** Our number, as the service keeps it. */
  readonly invoice: string | undefined
  readonly customer: string
  /** ISO 4217, upper case. */
  readonly currency: string
  /** The service's own word. */
  readonly status: string
  readonly totalMinor: bigint
  /** What was collected for it, less what was given back. */
  readonly collectedMinor: bigint
  readonly lines: readonly LineThere[]
}

export type DocumentKind = 'invoice' | 'credit_note'

/** A usage report that the service took and then did not count, by the identifier that we gave it. */
export interface RejectedReport {
  readonly identifier: string
  /** The service's own word for why. */
  readonly code: string
}

/** What an event is about, as far as it may concern an invoice. */
export interface PaidBy {
  readonly kind: 'charge' | 'refund'
  readonly id: string
}

/**
 * Where invoices are issued and collected: Stripe, or whatever takes its place. Every operation may be repeated after a
 * crash, and finds what it did before.
 * @throws Failure when the service is away, or answers what cannot be understood; its outcome is then not known.
 */
export interface MoneySink {
  ensureCustomer(tenant: { tenantId: string; name: string }): Promise<string>
  ensureMeter(eventName: string): Promise<string>
  reportUsage(report: UsageReport): Promise<ReportOutcome>
  /** Totals by hour over [from, to); hours without use are absent. It may lag behind the reports. */
  readUsage(of: {
    customer: string
    meterId: string
    from: Instant
    to: Instant
  }): Promise<ReadonlyMap<Instant, bigint>>
  ensureProduct(of: { sku: string; name: string }): Promise<string>
  ensurePrice(wish: PriceWish): Promise<PriceThere>
  /** A draft with all its lines, or what became of it. Returns the service's id. */
  draftInvoice(invoice: InvoicePush): Promise<string>
  finalizeInvoice(id: string, idempotencyKey: string): Promise<void>
  issueCredit(credit: CreditPush): Promise<string>
  /** As it stands now; undefined when it was deleted. */
  readDocument(kind: DocumentKind, id: string): Promise<InvoiceThere | undefined>
  /** The invoices that a charge or a refund paid, or gave back. */
  findPaidInvoices(by: PaidBy): Promise<readonly string[]>
  /** The reports that an event says were not counted; the service tells of samples only. */
  readRejected(eventId: string): Promise<readonly RejectedReport[]>
  isCustomerGone(customer: string): Promise<boolean>
}

/** A no of the service, in its words: what was asked for is wrong, and would be wrong again. */
export const isRefused = (error: unknown): error is Error =>
  error instanceof Error && 'type' in error && error.type === 'StripeInvalidRequestError'
