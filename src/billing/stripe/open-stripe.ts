import Stripe from 'stripe'
import type { Instant, Result } from '../../kernel/index.ts'
import type { MoneySink } from '../money-sink.ts'
import { draftInvoice, finalizeInvoice } from './draft-invoice.ts'
import { ensureCustomer } from './ensure-customer.ts'
import { ensureMeter } from './ensure-meter.ts'
import { ensurePrice } from './ensure-price.ts'
import { ensureProduct } from './ensure-product.ts'
import { findPaidInvoices } from './find-paid-invoices.ts'
import { isCustomerGone } from './is-customer-gone.ts'
import { issueCredit } from './issue-credit.ts'
import { readDocument } from './read-document.ts'
import { readEvent, type EventRefusal, type StripeEvent } from './read-event.ts'
import { readRejected } from './read-rejected.ts'
import { readUsage } from './read-usage.ts'
import { reportUsage } from './report-usage.ts'

export interface StripeOptions {
  readonly secretKey: string
  /** Where Stripe is, when it is not where the SDK thinks: the simulator. */
  readonly apiBase?: string | undefined
  /** What carries the calls. The platform's own `fetch` when absent. */
  readonly fetch?: typeof globalThis.fetch
}

/** A lane is held longer than this, so that nobody reports beside a call that is still under way. */
export const callTimeoutMs = 15_000

/** The SDK over fetch, which Node and Workers both have. It tries nothing again by itself: the outbox does, and remembers. */
export function openStripeClient(options: StripeOptions): Stripe {
  const base = options.apiBase === undefined ? undefined : new URL(options.apiBase)
  return new Stripe(options.secretKey, {
    maxNetworkRetries: 0,
    timeout: callTimeoutMs,
    telemetry: false,
    httpClient: Stripe.createFetchHttpClient(options.fetch),
    ...(base === undefined
      ? {}
      : {
          host: base.hostname,
          port: base.port === '' ? (base.protocol === 'http:' ? 80 : 443) : Number(base.port),
          protocol: base.protocol === 'http:' ? 'http' : 'https',
        }),
  })
}

export function stripeSink(stripe: Stripe): MoneySink {
  return {
    ensureCustomer: (tenant) => ensureCustomer(stripe, tenant),
    ensureMeter: (eventName) => ensureMeter(stripe, eventName),
    reportUsage: (report) => reportUsage(stripe, report),
    readUsage: (of) => readUsage(stripe, of),
    ensureProduct: (of) => ensureProduct(stripe, of),
    ensurePrice: (wish) => ensurePrice(stripe, wish),
    draftInvoice: (invoice) => draftInvoice(stripe, invoice),
    finalizeInvoice: (id, idempotencyKey) => finalizeInvoice(stripe, id, idempotencyKey),
    issueCredit: (credit) => issueCredit(stripe, credit),
    readDocument: (kind, id) => readDocument(stripe, kind, id),
    findPaidInvoices: (by) => findPaidInvoices(stripe, by),
    readRejected: (eventId) => readRejected(stripe, eventId),
    isCustomerGone: (customer) => isCustomerGone(stripe, customer),
  }
}

/** Stripe in both directions: what we ask of it, and what it tells by its webhook. */
export interface StripeDoor {
  readonly sink: MoneySink
  readEvent(delivery: {
    readonly body: string
    readonly signature: string
    readonly now: Instant
  }): Promise<Result<StripeEvent, EventRefusal>>
}

/** `webhookSecrets` has more than one while a new one takes the place of an old one, or for endpoints of their own. */
export function openStripeDoor(options: StripeOptions & { readonly webhookSecrets: readonly string[] }): StripeDoor {
  const stripe = openStripeClient(options)
  const { webhookSecrets: secrets } = options
  return { sink: stripeSink(stripe), readEvent: (delivery) => readEvent(stripe, { ...delivery, secrets }) }
}

/** STRIPE_WEBHOOK_SECRET: one secret, or several with commas between them. Undefined when one of them is empty. */
export function readWebhookSecrets(text: string): readonly string[] | undefined {
  const secrets = text.split(',').map((secret) => secret.trim())
  return secrets.some((secret) => secret === '') ? undefined : secrets
}
