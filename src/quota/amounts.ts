import type { Picos } from '../kernel/index.ts'
import type { BudgetMeter } from '../licensing/index.ts'

/** An amount in every meter at once: what a call may use at most, or what it used. Whole units; money in picos. */
export interface Amounts {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly inferences: number
  readonly cost: Picos
}

/** What a budget of this meter counts of it. `concurrency` is a slot: held by every call, used up by none. */
export function amountIn(meter: BudgetMeter | 'concurrency', amounts: Amounts): bigint {
  switch (meter) {
    case 'requests':
      return BigInt(amounts.requests)
    case 'input_tokens':
      return BigInt(amounts.inputTokens)
    case 'output_tokens':
      return BigInt(amounts.outputTokens)
    case 'tokens':
      return BigInt(amounts.inputTokens + amounts.outputTokens)
    case 'inferences':
      return BigInt(amounts.inferences)
    case 'cost':
      return amounts.cost
    case 'concurrency':
      return 0n
  }
}
