import { amountIn, type Amounts } from './amounts.ts'
import type { BudgetPocket } from './budget-pocket.ts'
import type { Reservation } from './reserve.ts'

/** What a settled call takes out of one lease. It is committed with the call's ledger row. */
export interface LeaseUse {
  readonly pocket: BudgetPocket
  readonly used: bigint
}

/**
 * Ends all holds of a call at what it used. From here on the rest is free for other calls of this instance; the
 * returned uses must be committed with the ledger row, and `committed` said of each pocket then.
 */
export function endReservation(reservation: Reservation, used: Amounts): readonly LeaseUse[] {
  for (const { pocket, meter, window, points } of reservation.rates) {
    const spent = meter === 'requests' ? 1 : used.inputTokens + used.outputTokens
    pocket.giveBack(points - spent, window)
  }
  return reservation.budgets.map(({ pocket, meter, amount }) => {
    const spent = amountIn(meter, used)
    pocket.end(amount, spent)
    return { pocket, used: spent }
  })
}
