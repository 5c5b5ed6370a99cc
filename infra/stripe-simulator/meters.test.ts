import { afterEach, beforeEach, expect, test } from 'vitest'
import { day, hour, june, openSimulated, type Simulated } from './sdk-client.ts'

// Sources: [event] docs.stripe.com/api/billing/meter-event · [summary] …/api/billing/meter-event-summary · [meter]
// …/api/billing/meter · [adjust] …/api/billing/meter-event-adjustment · [record] …/billing/subscriptions/usage-based/recording-usage

let at: Simulated
beforeEach(async () => {
  at = await openSimulated()
})
afterEach(() => at.simulator.stop())

test('[meter] a meter is shaped as the SDK types it', async () => {
  const meter = await at.stripe.billing.meters.retrieve(at.meter)
  expect(meter).toMatchObject({ object: 'billing.meter', event_time_window: 'hour', status: 'active' })
  expect(meter.customer_mapping).toEqual({ event_payload_key: 'stripe_customer_id', type: 'by_id' })
})
test('[meter] an event name has one active meter', async () => {
  const again = at.stripe.billing.meters.create({
    display_name: 'x',
    event_name: 'input_tokens',
    default_aggregation: { formula: 'sum' },
  })
  await expect(again).rejects.toThrow('already exists')
})
test('[meter] a deactivated meter takes no events, a reactivated one does', async () => {
  await at.stripe.billing.meters.deactivate(at.meter)
  await expect(at.use(1)).rejects.toThrow('inactive')
  await at.stripe.billing.meters.reactivate(at.meter)
  await expect(at.use(1)).resolves.toMatchObject({ object: 'billing.meter_event' })
})
test('[event] an unknown event name is refused', async () => {
  const wrong = at.stripe.billing.meterEvents.create({
    event_name: 'other',
    payload: { stripe_customer_id: at.customer },
  })
  await expect(wrong).rejects.toThrow('No active meter')
})
test('[event] an event answers with what it was given, and makes up an identifier', async () => {
  const made = await at.use(25)
  expect(made).toMatchObject({ payload: { value: '25' }, timestamp: june })
  expect(made.identifier).not.toBe('')
})
test('[event] a duplicate identifier within 24 hours is a 400', async () => {
  await at.use(1, { identifier: 'a' })
  at.simulator.advance(day - 1)
  await expect(at.use(1, { identifier: 'a' })).rejects.toMatchObject({
    statusCode: 400,
    message: 'An event already exists with identifier a.',
  })
})
test('[event] a day later the same identifier is a new event', async () => {
  await at.use(1, { identifier: 'a', timestamp: june })
  at.simulator.advance(day)
  await at.use(2, { identifier: 'a', timestamp: june + hour })
  expect(await at.total()).toBe(3)
})
test('[event] 35 days back is taken, a second more is not', async () => {
  await expect(at.use(1, { timestamp: june - 35 * day })).resolves.toBeDefined()
  await expect(at.use(1, { timestamp: june - 35 * day - 1 })).rejects.toThrow('past 35 calendar days')
})
test('[event] five minutes ahead is taken, a second more is not', async () => {
  await expect(at.use(1, { timestamp: june + 300 })).resolves.toBeDefined()
  await expect(at.use(1, { timestamp: june + 301 })).rejects.toThrow('5 minutes ahead')
})
test.each(['1.5', '-1', 'x', '1234567890123456'])('[event] the value %s is refused', async (value) => {
  await expect(at.use(value)).rejects.toThrow('Invalid value')
})
test('[event] fifteen digits are taken', async () => {
  await at.use('999999999999999')
  expect(await at.total()).toBe(999_999_999_999_999)
})
test('[event] an identifier is at most 100 characters', async () => {
  await expect(at.use(1, { identifier: 'x'.repeat(101) })).rejects.toThrow('100 characters')
})
test('[event] an event name is at most 100 characters', async () => {
  const long = at.stripe.billing.meters.create({
    display_name: 'x',
    event_name: 'x'.repeat(101),
    default_aggregation: { formula: 'sum' },
  })
  await expect(long).rejects.toThrow('100 characters')
})
test('[meter] in an hour-windowed meter the newest event of an hour replaces those before it', async () => {
  await at.use(5, { timestamp: june })
  await at.use(7, { timestamp: june })
  await at.use(1, { timestamp: june + 60 })
  await at.use(3, { timestamp: june - hour })
  expect(await at.total()).toBe(4)
})
test.each([
  ['sum', 12],
  ['count', 2],
  ['last', 7],
] as const)('[meter] without a window %s is %i', async (formula, expected) => {
  const meter = await at.stripe.billing.meters.create({
    display_name: formula,
    event_name: formula,
    default_aggregation: { formula },
  })
  for (const value of ['5', '7'])
    await at.stripe.billing.meterEvents.create({
      event_name: formula,
      payload: { stripe_customer_id: at.customer, value },
      timestamp: june,
    })
  const page = await at.stripe.billing.meters.listEventSummaries(meter.id, {
    customer: at.customer,
    start_time: june,
    end_time: june + 60,
  })
  expect(page.data.map((one) => one.aggregated_value)).toEqual([expected])
})
test('[summary] start is inclusive, end is exclusive', async () => {
  await at.use(1, { timestamp: june - hour })
  await at.use(2, { timestamp: june })
  expect(await at.total(june - hour, june)).toBe(1)
  expect(await at.total(june, june + hour)).toBe(2)
})
test('[summary] bounds that are no whole minute are refused', async () => {
  await expect(at.total(june + 1, june + 60)).rejects.toThrow('minute boundaries')
})
test.each(['hour', 'day'] as const)('[summary] grouped by %s the bounds are aligned with it', async (window) => {
  const off = at.stripe.billing.meters.listEventSummaries(at.meter, {
    customer: at.customer,
    start_time: june + 60,
    end_time: june + day,
    value_grouping_window: window,
  })
  await expect(off).rejects.toThrow(`${window} boundaries`)
})
test('[summary] grouped by hour there is one per hour with use', async () => {
  await at.use(1, { timestamp: june - 2 * hour })
  await at.use(2, { timestamp: june - hour })
  const page = await at.stripe.billing.meters.listEventSummaries(at.meter, {
    customer: at.customer,
    start_time: june - day,
    end_time: june,
    value_grouping_window: 'hour',
  })
  expect(page.data.map((one) => [one.start_time, one.aggregated_value])).toEqual([
    [june - hour, 2],
    [june - 2 * hour, 1],
  ])
})
test('[summary] a summary is eventually consistent', async () => {
  at.simulator.knobs.aggregationLagSeconds = 120
  await at.use(9)
  expect(await at.total()).toBe(0)
  at.simulator.advance(120)
  expect(await at.total()).toBe(9)
})
test('[record] a 200 does not prove that an event is counted', async () => {
  at.simulator.knobs.dropEvents = 1
  await at.use(9)
  at.simulator.advance(day)
  expect(await at.total()).toBe(0)
})
test('[adjust] an event is canceled within 24 hours', async () => {
  await at.use(9, { identifier: 'a' })
  const canceled = await at.stripe.billing.meterEventAdjustments.create({
    event_name: 'input_tokens',
    type: 'cancel',
    cancel: { identifier: 'a' },
  })
  expect(canceled.object).toBe('billing.meter_event_adjustment')
  expect(await at.total()).toBe(0)
})
test('[adjust] a day later it is not', async () => {
  await at.use(9, { identifier: 'a' })
  at.simulator.advance(day)
  const late = at.stripe.billing.meterEventAdjustments.create({
    event_name: 'input_tokens',
    type: 'cancel',
    cancel: { identifier: 'a' },
  })
  await expect(late).rejects.toThrow('24 hours')
})
test('[record] an event of the v2 API counts as one of v1', async () => {
  const event = { event_name: 'input_tokens', payload: { stripe_customer_id: at.customer, value: '4' } }
  const made = await at.stripe.v2.billing.meterEvents.create(event)
  expect(made.object).toBe('v2.billing.meter_event')
  expect(await at.total()).toBe(4)
})
