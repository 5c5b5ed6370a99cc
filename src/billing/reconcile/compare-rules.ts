import { picos, type Picos } from '../../kernel/index.ts'
import type { LedgerRow, Units } from './call-pair.ts'
import { unitPricesFor, type PriceBook, type UnitPrices } from '../prices.ts'

/** A model version as a deployment serves it. */
export interface ServedVersion {
  readonly model: string
  readonly version: string
  readonly deployment: string
  /** The name under which its host knows it. */
  readonly upstreamModel: string
}

/** What a comparison knows beside the rows. */
export interface CompareRules {
  readonly book: PriceBook
  readonly served: readonly ServedVersion[]
}

/**
 * A host's clock may be so far from ours, and no further: Stripe takes reports up to five minutes ahead, and an hour's total
 * must not depend on whose clock was right.
 */
export const skewMsMax = 300_000

export function pricesOf({ book }: CompareRules, row: Pick<LedgerRow, 'plan' | 'planRevision' | 'model'>): UnitPrices {
  const revision = book.get(row.plan)?.[row.planRevision - 1]
  return revision === undefined ? noPrices : unitPricesFor(revision, row.model)
}

const noPrices: UnitPrices = {
  input_tokens: picos(0n),
  output_tokens: picos(0n),
  requests: picos(0n),
  inferences: picos(0n),
}

/** What units cost at the list prices of a call: one request, and its units, which of a predictor are inferences. */
export function worthOf(prices: UnitPrices, units: Units, operation: string): Picos {
  const input = operation === 'infer' ? prices.inferences : prices.input_tokens
  return picos(prices.requests + units.input * input + units.output * prices.output_tokens)
}

/** Whether the host's names for what it served are names of what we charged. */
export function isServedAs(
  { served }: CompareRules,
  row: Pick<LedgerRow, 'model' | 'version' | 'deployment'>,
  host: { readonly model: string; readonly version: string | undefined },
): boolean {
  if (host.version !== undefined && host.version !== row.version) return false
  if (host.model === row.model) return true
  return served.some(
    (one) =>
      one.model === row.model &&
      one.version === row.version &&
      one.deployment === row.deployment &&
      one.upstreamModel === host.model,
  )
}
