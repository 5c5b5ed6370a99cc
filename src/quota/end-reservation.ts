import { amountIn, type Amounts } from './amounts.ts'
import type { BudgetPocket } from './budget-pocket.ts'
import type { Reservation } from './reserve.ts'

/** What a call held of one lease, and what it took out of it. */
export interface LeaseUse {
  readonly pocket: BudgetPocket
  readonly reserved: bigint
  readonly used: bigint
}

/**
 * Ends a call at what it used. Its rates are given back now; its budgets are held until the end is safe, when
 * `endHolds` is said of the returned uses. Given back sooner, they could be lent to others, and should this process die
 * before anybody knows of the end, the call stands in the ledger at a bound that the budget no longer holds.
 */
export function endReservation(reservation: Reservation, used: Amounts): readonly LeaseUse[] {
  for (const { pocket, meter, window, points } of reservation.rates) {
    const spent = meter === 'requests' ? 1 : used.inputTokens + used.outputTokens
    pocket.giveBack(points - spent, window)
  }
  return reservation.budgets.map(({ pocket, meter, amount }) => ({
    pocket,
    reserved: amount,
    used: amountIn(meter, used),
  }))
}

/** From here on what the calls did not use is free for others. What they used is to be said to be `committed` later. */
export function endHolds(uses: readonly LeaseUse[]): void {
  for (const { pocket, reserved, used } of uses) pocket.end(reserved, used)
}
