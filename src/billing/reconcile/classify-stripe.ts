import { smallestUnit } from '../currency.ts'
import type { HourClass, LineClass } from './difference.ts'
import type { InvoicePair, MeterHour } from './exception.ts'

/**
 * Why an hour at Stripe is not what the ledger says; undefined where it is. In the order of `hourClasses`: an hour that we
 * never reported is somebody else's work; a report that was not taken explains what is missing; a total that stood and is
 * another one now, or that none of our reports says, was overwritten; whatever is left is on its way.
 */
export function classifyHour({ ledger, last, reported, stripe }: MeterHour): HourClass | undefined {
  if ((stripe ?? 0n) === ledger) return undefined
  if (last === undefined) return stripe === undefined ? 'stripe_stale' : 'manual'
  if (last.state === 'refused' || last.state === 'too_late') return 'stripe_rejected'
  const stood = last.state === 'confirmed' && stripe !== last.quantity
  const isNobodysTotal = stripe !== undefined && !reported.includes(stripe)
  return stood || isNobodysTotal ? 'stripe_overwritten' : 'stripe_stale'
}

/** Why a line at Stripe is not the one that we issued, to the smallest unit; undefined where it is. */
export function classifyLine({ line, ours, theirs, currency }: InvoicePair): LineClass | undefined {
  if (line === undefined || ours === undefined) return 'manual'
  if (theirs === undefined) return 'stripe_stale'
  if (ours === theirs) return undefined
  const off = ours > theirs ? ours - theirs : theirs - ours
  return off <= smallestUnit(currency) ? 'rounding' : 'rate_differs'
}
