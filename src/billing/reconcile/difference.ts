import { z } from 'zod'

/**
 * Every difference between the ledger, the model host and Stripe is in exactly one of these. Where several would fit, the
 * first of its list says it: what is missing cannot differ, and what is counted twice is not compared with its half.
 */
export const callClasses = [
  'late',
  'wrong_period',
  'missing_at_host',
  'missing_in_ledger',
  'duplicate',
  'wrong_tenant',
  'wrong_model',
  'unbilled_stream_cut',
  'quantity_differs',
  'rate_differs',
  'clock_skew',
] as const
/** Of an hour of a meter at Stripe. */
export const hourClasses = ['manual', 'stripe_rejected', 'stripe_overwritten', 'stripe_stale'] as const
/** Of a line of an invoice at Stripe. */
export const lineClasses = ['manual', 'stripe_stale', 'rounding', 'rate_differs'] as const

export type CallClass = (typeof callClasses)[number]
export type HourClass = (typeof hourClasses)[number]
export type LineClass = (typeof lineClasses)[number]

export const differenceClasses = [
  ...callClasses,
  'stripe_rejected',
  'stripe_stale',
  'stripe_overwritten',
  'rounding',
  'manual',
] as const satisfies readonly (CallClass | HourClass | LineClass)[]
export const DifferenceClass = z.enum(differenceClasses)
export type DifferenceClass = z.infer<typeof DifferenceClass>

/** What is so, in a sentence for whoever works it off. */
export const classWords: Readonly<Record<DifferenceClass, string>> = {
  late: 'Our row came when its month was frozen already, and counts in a later month; the host counts it in this one.',
  wrong_period: 'One side has the call in this month, the other one in the month before or after.',
  missing_at_host: 'We charged a call that the host does not know.',
  missing_in_ledger: 'The host served a call that we do not know.',
  duplicate: 'One call is counted more than once.',
  wrong_tenant: 'The host takes it for another tenant’s call.',
  wrong_model: 'The host served another model or version than the one that we charged.',
  unbilled_stream_cut: 'An answer broke off: the host counts all that it made, we charge what was delivered.',
  quantity_differs: 'The two sides count other units.',
  rate_differs: 'The units agree, and the amount is not what the price makes of them.',
  clock_skew: 'The two clocks are further apart than a call can explain.',
  stripe_rejected: 'Stripe refused our report of the hour, or it was too old to be taken.',
  stripe_stale: 'Stripe does not have our last total yet.',
  stripe_overwritten: 'Stripe had our total, and counts another one now.',
  rounding: 'The line at Stripe is one smallest unit of the currency off.',
  manual: 'Somebody made it at Stripe by hand: no report and no line of ours is behind it.',
}
