export { Price, Prices, unitPricesFor, UsageMeter, usageMeters, type UnitPrices } from './prices.ts'
export { rate, type Quantities } from './rate.ts'
