import { picos, type Picos } from '../kernel/index.ts'

/** What a prepaid credit does to a period. Amounts are whole multiples of the currency's smallest unit. */
export interface CreditSettled {
  readonly bought: Picos
  readonly used: Picos
  /** What is left for the periods after. */
  readonly left: Picos
}

/**
 * Burns a prepaid credit down before money is asked for: whatever a period charges is taken from it first, as far as it
 * reaches. It never pays for itself, and what a correction gives back does not fill it again.
 */
export function settleCredit(facts: { charged: Picos; balance: Picos; bought: Picos }): CreditSettled {
  const there = facts.balance + facts.bought
  const wanted = facts.charged > 0n ? facts.charged : 0n
  const used = wanted < there ? wanted : there
  return { bought: facts.bought, used: picos(used), left: picos(there - used) }
}
