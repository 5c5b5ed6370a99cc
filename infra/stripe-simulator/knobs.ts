/** How the simulator misbehaves. Counts are used up by the next so many calls they fit. */
export interface Knobs {
  /** Seconds until an event that was taken in is seen in summaries and invoices. */
  aggregationLagSeconds: number
  /** Usage events answered with 200 and never counted. */
  dropEvents: number
  /** Writes that are done, and answered with 500. */
  failAfterCommit: number
  /** Writes that are done, and whose connection is closed before an answer. */
  closeAfterCommit: number
  /** Calls that are closed before anything is done. */
  closeBefore: number
  /** Calls refused with 429. */
  tooMany: number
  /** Calls answered with a 404 of somebody in between: no `error` in it. */
  foreign404: number
  /** Payments that fail: a 402, and the invoice stays open. */
  failPayments: number
  /** Deliveries of webhooks that are lost and never come. */
  loseDeliveries: number
  /** Each delivery of a webhook comes so many times more. */
  duplicateDeliveries: number
  /** Deliveries that are held back by `flushWebhooks` come in the opposite order. */
  reorderDeliveries: boolean
}

export const defaultKnobs: Knobs = {
  aggregationLagSeconds: 0,
  dropEvents: 0,
  failAfterCommit: 0,
  closeAfterCommit: 0,
  closeBefore: 0,
  tooMany: 0,
  foreign404: 0,
  failPayments: 0,
  loseDeliveries: 0,
  duplicateDeliveries: 0,
  reorderDeliveries: false,
}

type Counted = Exclude<keyof Knobs, 'aggregationLagSeconds' | 'duplicateDeliveries' | 'reorderDeliveries'>

/** Whether the next fault of a kind is due; it is used up by asking. */
export function takeFault(knobs: Knobs, kind: Counted): boolean {
  if (knobs[kind] <= 0) return false
  knobs[kind]--
  return true
}
