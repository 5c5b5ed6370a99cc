export { amountIn, type Amounts } from './amounts.ts'
export {
  accountOf,
  type Account,
  type AccountLimit,
  type AccountState,
  type Authority,
  type LeaseAuthority,
  type Place,
} from './account.ts'
export { boundOf, type Bound, type Measured } from './bound.ts'
export { BudgetPocket, type PocketTime } from './budget-pocket.ts'
export { endHolds, endReservation, type LeaseUse } from './end-reservation.ts'
export { Lender, type LenderOptions } from './lender.ts'
export { limitOf } from './limits.ts'
export { periodOf } from './periods.ts'
export { RatePocket, type RateStore } from './rate-pocket.ts'
export { postgresLimiter, rateStore, redisLimiter } from './rate-store.ts'
export { reserve, type QuotaRefusal, type Reservation } from './reserve.ts'
export { instancesAt, loadAccounts, postgresAuthority, pruneLeases, pruneRateWindows, quotaChannel } from './store.ts'
