export {
  findUsagePrice,
  planRevisionAt,
  PlanTerms,
  Price,
  Prices,
  unitPricesFor,
  UsageMeter,
  usageMeters,
  type PlanRevision,
  type PriceBook,
  type UnitPrices,
  type UsagePrice,
} from './prices.ts'
export { CheckItem, mayBeExplained, type CheckedItem, type Reconciled } from './checklist.ts'
export { closePeriod, type Closed, type CloseRefusal, type ClosingNeeds } from './close-period.ts'
export { listPeriods, type ListedPeriod } from './list-periods.ts'
export { monthAfter, monthName, monthOf, parseMonth, type Month, type Period } from './month.ts'
export { creditInvoice, type CreditRefusal } from './credit-invoice.ts'
export { DocumentLine, InvoiceDocument, readDocument } from './read-document.ts'
export { reopenPeriod, type Reopened, type ReopenRefusal } from './reopen-period.ts'
export { exportUsage } from './export-usage.ts'
export {
  recomputeInvoice,
  type PlanFacts,
  type Recomputed,
  type RecomputedLine,
  type RecomputeRefusal,
} from './recompute-invoice.ts'
export { verifyPeriod, type Verified, type VerifyRefusal } from './verify-period.ts'
export { invoiceCsv } from './invoice-csv.ts'
export { invoicePage } from './invoice-page.ts'
export { explainLine, explainedCallsMax, type ExplainedCall, type ExplainedLine } from './store-explain-line.ts'
export { rate, type Quantities } from './rate.ts'
export { loadPriceBook } from './store.ts'
export { loadInvoices, type KeptInvoice } from './store-invoice.ts'
export type { InvoiceLine, MoneySink, PushedInvoice } from './money-sink.ts'
export { pushInvoice, type InvoiceToPush } from './push-invoice.ts'
export { openStripeClient, stripeSink, type StripeOptions } from './stripe/open-stripe.ts'
export { readEvent, type EventRefusal, type StripeEvent } from './stripe/read-event.ts'
export { syncUsage, type SyncNeeds } from './sync-usage.ts'
export { importHostUsage, problemsNamedMax, type Imported, type ImportRefusal } from './reconcile/import-host-usage.ts'
export { reportColumns, type ReportFormat } from './reconcile/host-usage.ts'
export { classWords, DifferenceClass } from './reconcile/difference.ts'
export { runReconciliation, type Ran, type RunRefusal } from './reconcile/run-reconciliation.ts'
export { exceptionsOnPageMax, reconciliationPage } from './reconcile/reconciliation-page.ts'
export { reconciliationCsv, reconciliationCsvHeader } from './reconcile/reconciliation-csv.ts'
export {
  countExceptions,
  ExceptionState,
  loadExceptions,
  loadReconciliations,
  type KeptException,
  type Reconciliation,
} from './store-reconciliation.ts'
export type { StripeBooks } from './reconcile/stripe-books.ts'
export { stripeBooks } from './stripe/read-books.ts'
export { acceptException, correctException, type ResolveRefusal } from './reconcile/resolve-exception.ts'
