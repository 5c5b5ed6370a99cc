import type { Instant } from '../../kernel/index.ts'

export interface StripeLine {
  readonly stripeLine: string
  /** Our name for it; undefined where somebody else made it. */
  readonly line: string | undefined
  readonly amountMinor: bigint
}

/**
 * What is read at Stripe to be held against ours.
 * @throws Failure when Stripe is away, or answers what cannot be understood.
 */
export interface StripeBooks {
  /** Totals by hour over [from, to); hours without use are absent. */
  readUsage(of: {
    customer: string
    meterId: string
    from: Instant
    to: Instant
  }): Promise<ReadonlyMap<Instant, bigint>>
  readLines(stripeInvoice: string): Promise<readonly StripeLine[]>
}
