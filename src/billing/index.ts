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
export { CheckedItem, CheckItem, mayBeExplained, type Reconciled } from './checklist.ts'
export { closePeriod, type Closed, type CloseRefusal, type ClosingNeeds } from './close-period.ts'
export { listPeriods, type ListedPeriod } from './list-periods.ts'
export { formatMoney } from './currency.ts'
export { monthAfter, monthBefore, monthName, monthOf, parseMonth, type Month, type Period } from './month.ts'
export { checklistOf, showPeriod, type ShownPeriod } from './show-period.ts'
export { listPeriodsOf, type PeriodRow } from './store-list-periods.ts'
export { PeriodState, type StandingClosing } from './store-period.ts'
export { previewInvoice, type PreviewedInvoice, type PreviewRefusal } from './preview-invoice.ts'
export { creditInvoice, type CreditRefusal } from './credit-invoice.ts'
export { DocumentLine, InvoiceDocument, readDocument } from './read-document.ts'
export { reopenPeriod, type Reopened, type ReopenRefusal } from './reopen-period.ts'
export { exportFocus, type FocusRefusal, type FocusWish } from './export-focus.ts'
export { datasets as focusDatasets, type Dataset as FocusDataset } from './focus/columns.ts'
export { focusFormats, type FocusFormat } from './focus/write-rows.ts'
export { checkFocus, type FocusChecked, type FocusCheckRefusal, type FocusFile } from './focus-check/check-focus.ts'
export { rulesTable as focusRulesTable } from './focus-check/rules-table.ts'
export { exportJournal, type JournalTold } from './export-journal.ts'
export { packPeriod, type Evidence, type EvidenceRefusal } from './evidence/pack-period.ts'
export { verifyPack, type PackVerified } from './evidence/verify-pack.ts'
export { exportUsage } from './export-usage.ts'
export {
  recomputeInvoice,
  type PlanFacts,
  type Recomputed,
  type RecomputedLine,
  type RecomputeRefusal,
} from './recompute-invoice.ts'
export { verifyPeriod, type Verified, type VerifyRefusal } from './verify-period.ts'
export type { Tax } from './invoice.ts'
export { formTypes, invoiceForms, writeInvoice, type InvoiceForm, type WrittenInvoice } from './write-invoice.ts'
export {
  explainLine,
  explainedCallsMax,
  type CallCursor,
  type ExplainedCall,
  type ExplainedLine,
} from './store-explain-line.ts'
export { listChecklists } from './store-list-checklists.ts'
export {
  invoiceState,
  listInvoices,
  sumInvoiced,
  type InvoiceCursor,
  type InvoicedSum,
  type InvoiceRow,
  type InvoiceState,
} from './store-list-invoices.ts'
export {
  AccountName,
  EntryKind,
  listJournal,
  sumJournal,
  type JournalAsked,
  type JournalEntry,
  type JournalSum,
} from './store-journal.ts'
export { rate, type Quantities } from './rate.ts'
export { loadPriceBook } from './store.ts'
export { loadInvoices, type KeptInvoice } from './store-invoice.ts'
export type { InvoiceThere, MoneySink } from './money-sink.ts'
export { pushInvoices } from './push-invoices.ts'
export {
  openStripeClient,
  openStripeDoor,
  readWebhookSecrets,
  stripeSink,
  type StripeDoor,
  type StripeOptions,
} from './stripe/open-stripe.ts'
export { lookAtDocument, type LookNeeds } from './look-at-document.ts'
export { receiveEvent, type Received } from './receive-event.ts'
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
