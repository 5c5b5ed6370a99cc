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
