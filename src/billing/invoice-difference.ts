/** How what stands at the service and what we have can differ; the last two are of prices, and change no state. */
export const differenceClasses = [
  'amount_differs',
  'missing_there',
  'missing_here',
  'rate_differs',
  'rounding',
] as const
export type DifferenceClass = (typeof differenceClasses)[number]

/** One way in which the invoice there is not ours. */
export interface InvoiceDifference {
  /** Our line, or `total`, `currency`, `customer`. */
  readonly line: string
  readonly class: DifferenceClass
  readonly here: string
  readonly there: string
}
