export {
  planRevisionAt,
  Price,
  Prices,
  unitPricesFor,
  UsageMeter,
  usageMeters,
  type PlanRevision,
  type PriceBook,
  type UnitPrices,
} from './prices.ts'
export { rate, type Quantities } from './rate.ts'
export { loadPriceBook } from './store.ts'
export type { InvoiceLine, MoneySink, PushedInvoice } from './money-sink.ts'
export { pushInvoice, type InvoiceToPush } from './push-invoice.ts'
export { openStripeClient, stripeSink, type StripeOptions } from './stripe/open-stripe.ts'
export { readEvent, type EventRefusal, type StripeEvent } from './stripe/read-event.ts'
export { syncUsage, type SyncNeeds } from './sync-usage.ts'
