import Stripe from 'stripe'
import { startStripeSimulator, type Knobs } from './simulator.ts'

/** 2026-06-01T00:00:00Z: a whole hour and day. */
export const june = 1_780_272_000
export const hour = 3600
export const day = 86_400

/** A simulator on a socket and the unmodified SDK that speaks to it, for a test. Stop it. */
export async function openSimulated(knobs: Partial<Knobs> = {}) {
  const simulator = await startStripeSimulator({ now: june, knobs })
  const stripe = new Stripe('sk_test_simulated', {
    host: simulator.host,
    port: simulator.port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
  })
  const customer = await stripe.customers.create({ name: 'Lakeside Health' })
  const meter = await stripe.billing.meters.create({
    display_name: 'Input tokens',
    event_name: 'input_tokens',
    default_aggregation: { formula: 'sum' },
    event_time_window: 'hour',
  })
  return {
    simulator,
    stripe,
    customer: customer.id,
    meter: meter.id,
    use: (value: number | string, at: { identifier?: string; timestamp?: number; customer?: string } = {}) =>
      stripe.billing.meterEvents.create({
        event_name: 'input_tokens',
        payload: { stripe_customer_id: at.customer ?? customer.id, value: String(value) },
        ...(at.identifier === undefined ? {} : { identifier: at.identifier }),
        ...(at.timestamp === undefined ? {} : { timestamp: at.timestamp }),
      }),
    async total(from = june - 40 * day, to = june + 40 * day): Promise<number> {
      const page = await stripe.billing.meters.listEventSummaries(meter.id, {
        customer: customer.id,
        start_time: from,
        end_time: to,
      })
      return page.data[0]?.aggregated_value ?? 0
    },
  }
}

export type Simulated = Awaited<ReturnType<typeof openSimulated>>
