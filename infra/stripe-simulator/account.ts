import { missing } from './problem.ts'

/** A thing of the API. Its members are Stripe's; the type says only what the simulator itself reads. */
export interface Thing {
  id: string
  object: string
  created: number
  metadata: Record<string, string>
  [member: string]: unknown
}

export interface Meter extends Thing {
  event_name: string
  event_time_window: 'hour' | 'day' | null
  default_aggregation: { formula: 'sum' | 'count' | 'last' }
  customer_mapping: { event_payload_key: string; type: 'by_id' }
  value_settings: { event_payload_key: string }
  status: 'active' | 'inactive'
}

export interface Line {
  id: string
  object: 'line_item'
  amount: number
  currency: string
  description: string | null
  invoice: string
  quantity: number
  metadata: Record<string, string>
  period: { start: number; end: number }
}

export interface Invoice extends Thing {
  customer: string
  currency: string
  status: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible'
  number: string | null
  total: number
  auto_advance: boolean
  automatically_finalizes_at: number | null
  period_start: number
  period_end: number
  subscription: string | null
  /** Kept apart: the API shows them as a list. */
  held: Line[]
  status_transitions: {
    finalized_at: number | null
    voided_at: number | null
    paid_at: number | null
    marked_uncollectible_at: number | null
  }
  pre_payment_credit_notes_amount: number
  post_payment_credit_notes_amount: number
  amount_paid: number
  attempt_count: number
}

export interface Subscription extends Thing {
  customer: string
  status: 'active' | 'canceled'
  current_period_start: number
  current_period_end: number
  prices: string[]
}

/** What paid an invoice. The intent and the charge have no life of their own here. */
export interface Payment extends Thing {
  invoice: string
  amount_paid: number
  status: 'paid'
  payment: { type: 'payment_intent'; payment_intent: string }
  charge: string
}

export interface Refund extends Thing {
  amount: number
  charge: string
  payment_intent: string
  status: 'succeeded' | 'failed'
}

/** A usage event as it was taken in. */
export interface MeterEvent {
  readonly identifier: string
  readonly meter: string
  readonly customer: string
  readonly value: bigint
  readonly timestamp: number
  readonly receivedAt: number
  /** From when on summaries and invoices know of it. */
  readonly visibleAt: number
  isCanceled: boolean
}

export interface WebhookEndpoint extends Thing {
  url: string
  enabled_events: string[]
  secret: string
  status: 'enabled' | 'disabled'
}

/** One Stripe account in memory. Time stands still until somebody moves it. */
export class Account {
  /** Seconds since 1970. */
  now: number
  readonly customers = new Map<string, Thing>()
  readonly deletedCustomers = new Set<string>()
  readonly products = new Map<string, Thing>()
  readonly prices = new Map<string, Thing>()
  readonly meters = new Map<string, Meter>()
  readonly invoices = new Map<string, Invoice>()
  readonly items = new Map<string, Thing>()
  readonly creditNotes = new Map<string, Thing>()
  readonly payments = new Map<string, Payment>()
  readonly refunds = new Map<string, Refund>()
  readonly subscriptions = new Map<string, Subscription>()
  readonly endpoints = new Map<string, WebhookEndpoint>()
  readonly events = new Map<string, Thing>()
  /** In the order of arrival. */
  readonly usage: MeterEvent[] = []
  #ids = 0

  constructor(now: number) {
    this.now = now
  }

  /** The same calls get the same ids. */
  newId(prefix: string): string {
    this.#ids++
    return `${prefix}_sim${String(this.#ids).padStart(12, '0')}`
  }

  require<T>(from: ReadonlyMap<string, T>, what: string, id: string): T {
    const found = from.get(id)
    if (found === undefined) throw missing(what, id)
    return found
  }
}

export const newestFirst = <T>(things: ReadonlyMap<string, T>): T[] => [...things.values()].toReversed()
