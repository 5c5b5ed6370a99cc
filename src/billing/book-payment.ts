import { picos, type Picos, type Uuid } from '../kernel/index.ts'
import type { Posting } from './book-invoice.ts'

/** A payment in the journal that nothing has reversed. */
export interface BookedPayment {
  readonly entryId: Uuid
  readonly amount: Picos
}

/** What the journal has to say so that it says what was collected. */
export interface PaymentChange {
  readonly reverse: readonly BookedPayment[]
  readonly pay: Picos
}

/**
 * From what is booked to what was collected in all. Money that went back reverses payments whole, the latest first, as entries
 * are answered by their opposites only; what then lacks is booked anew.
 */
export function settlePayments(booked: readonly BookedPayment[], collected: Picos): PaymentChange {
  const reverse: BookedPayment[] = []
  let sum = booked.reduce((total, { amount }) => total + amount, 0n)
  for (const payment of booked.toReversed()) {
    if (sum <= collected) break
    reverse.push(payment)
    sum -= payment.amount
  }
  return { reverse, pay: picos(collected - sum) }
}

/** A payment as one entry: the bank has it, and the tenant owes so much less. */
export const bookPayment = (amount: Picos): readonly Posting[] => [
  { account: 'bank', sku: undefined, amount },
  { account: 'receivable', sku: undefined, amount: picos(0n - amount) },
]
