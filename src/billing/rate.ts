import { picos, type Picos } from '../kernel/index.ts'
import type { UnitPrices } from './prices.ts'

/** What a call used, in whole units. */
export interface Quantities {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly requests: number
  readonly inferences: number
}

/** Usage times price, exactly: no rounding happens here. */
export function rate(prices: UnitPrices, used: Quantities): Picos {
  return picos(
    BigInt(used.inputTokens) * prices.input_tokens +
      BigInt(used.outputTokens) * prices.output_tokens +
      BigInt(used.requests) * prices.requests +
      BigInt(used.inferences) * prices.inferences,
  )
}
