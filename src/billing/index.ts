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
export { monthName, monthOf, parseMonth, type Month, type Period } from './month.ts'
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
