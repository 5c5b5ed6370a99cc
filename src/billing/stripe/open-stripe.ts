import Stripe from 'stripe'
import type { MoneySink } from '../money-sink.ts'
import { ensureCustomer } from './ensure-customer.ts'
import { ensureMeter } from './ensure-meter.ts'
import { findInvoice, pushInvoice } from './push-invoice.ts'
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
    pushInvoice: (invoice) => pushInvoice(stripe, invoice),
    findInvoice: (id) => findInvoice(stripe, id),
  }
}
