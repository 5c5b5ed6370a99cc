import { newestFirst, type Account, type Meter, type MeterEvent } from './account.ts'
import { takeFault, type Knobs } from './knobs.ts'
import { pageOf } from './pages.ts'
import { groupOf, requireText, textOf, wholeOf, type Params } from './params.ts'
import { invalid, missing } from './problem.ts'
import { reportUsageError } from './usage-errors.ts'
import type { Emit } from './webhooks.ts'

const daySeconds = 86_400
/** https://docs.stripe.com/api/billing/meter-event/create: `timestamp` within the past 35 calendar days or 5 minutes ahead. */
const pastSecondsMax = 35 * daySeconds
const aheadSecondsMax = 300
/** The same page: `identifier` is unique within a rolling period of at least 24 hours. */
const identifierSeconds = daySeconds

export function createMeter(account: Account, params: Params): Meter {
  const event_name = requireText(params, 'event_name')
  if (event_name.length > 100) throw invalid('event_name is longer than 100 characters', 'event_name')
  if ([...account.meters.values()].some((meter) => meter.event_name === event_name && meter.status === 'active'))
    throw invalid(`An active meter already exists with event name ${event_name}.`, 'event_name')
  const formula = requireText(groupOf(params, 'default_aggregation'), 'formula')
  if (formula !== 'sum' && formula !== 'count' && formula !== 'last')
    throw invalid('Invalid formula', 'default_aggregation')
  const window = textOf(params, 'event_time_window') ?? null
  if (window !== null && window !== 'hour' && window !== 'day') throw invalid('Invalid window', 'event_time_window')
  const meter: Meter = {
    id: account.newId('mtr'),
    object: 'billing.meter',
    created: account.now,
    updated: account.now,
    livemode: false,
    metadata: {},
    display_name: requireText(params, 'display_name'),
    event_name,
    event_time_window: window,
    default_aggregation: { formula },
    customer_mapping: {
      event_payload_key: textOf(groupOf(params, 'customer_mapping'), 'event_payload_key') ?? 'stripe_customer_id',
      type: 'by_id',
    },
    value_settings: { event_payload_key: textOf(groupOf(params, 'value_settings'), 'event_payload_key') ?? 'value' },
    status: 'active',
    status_transitions: { deactivated_at: null },
  }
  account.meters.set(meter.id, meter)
  return meter
}

export function setMeterStatus(account: Account, id: string, status: Meter['status']): Meter {
  const meter = account.require(account.meters, 'billing meter', id)
  meter.status = status
  meter['status_transitions'] = { deactivated_at: status === 'inactive' ? account.now : null }
  return meter
}

/** Takes a usage event in. An answer does not prove that it is counted. */
export function takeEvent(account: Account, params: Params, { knobs, emit }: { knobs: Knobs; emit: Emit }): object {
  const event_name = requireText(params, 'event_name')
  const meter = [...account.meters.values()].findLast((one) => one.event_name === event_name)
  if (meter === undefined) throw invalid(`No active meter found for event name ${event_name}.`, 'event_name')
  if (meter.status !== 'active')
    throw invalid(`The meter for event name ${event_name} is inactive.`, 'event_name', 'archived_meter')
  const payload = groupOf(params, 'payload') as Record<string, string>
  const customer = requireText(payload, meter.customer_mapping.event_payload_key)
  const text = payload[meter.value_settings.event_payload_key] ?? ''
  if (meter.default_aggregation.formula !== 'count' && !/^\d{1,15}$/u.test(text))
    throw invalid(`Invalid value: ${text}. A whole number of at most 15 digits is expected.`, 'payload')
  const timestamp = wholeOf(params, 'timestamp') ?? account.now
  if (timestamp < account.now - pastSecondsMax)
    throw invalid('The timestamp must be within the past 35 calendar days.', 'timestamp', 'timestamp_too_far_in_past')
  if (timestamp > account.now + aheadSecondsMax)
    throw invalid('The timestamp must be at most 5 minutes ahead.', 'timestamp', 'timestamp_in_future')
  const identifier = textOf(params, 'identifier') ?? account.newId('mev')
  if (identifier.length > 100) throw invalid('identifier is longer than 100 characters', 'identifier')
  const isKnown = account.usage.some(
    (event) => event.identifier === identifier && event.receivedAt > account.now - identifierSeconds,
  )
  if (isKnown) throw invalid(`An event already exists with identifier ${identifier}.`, 'identifier')
  const answer = {
    object: 'billing.meter_event',
    created: account.now,
    event_name,
    identifier,
    livemode: false,
    payload,
    timestamp,
  }
  // Looked up after the answer: nobody who only reads the answer learns of it.
  if (!account.customers.has(customer)) {
    reportUsageError(account, { meter, identifier, code: 'meter_event_customer_not_found' }, emit)
    return answer
  }
  account.usage.push({
    identifier,
    meter: meter.id,
    customer,
    value: BigInt(text === '' ? 0 : text),
    timestamp,
    receivedAt: account.now,
    visibleAt: takeFault(knobs, 'dropEvents') ? Number.POSITIVE_INFINITY : account.now + knobs.aggregationLagSeconds,
    isCanceled: false,
  })
  return answer
}

/** `cancel` within 24 hours of receipt (https://docs.stripe.com/api/billing/meter-event-adjustment). */
export function adjustEvent(account: Account, params: Params): object {
  const event_name = requireText(params, 'event_name')
  if (requireText(params, 'type') !== 'cancel') throw invalid('Invalid type', 'type')
  const identifier = requireText(groupOf(params, 'cancel'), 'identifier')
  const event = account.usage.findLast((one) => one.identifier === identifier)
  if (event === undefined) throw missing('meter event', identifier)
  if (event.receivedAt <= account.now - daySeconds)
    throw invalid('An event can be canceled within 24 hours of its receipt.', 'cancel')
  event.isCanceled = true
  return {
    object: 'billing.meter_event_adjustment',
    cancel: { identifier },
    event_name,
    livemode: false,
    status: 'pending',
    type: 'cancel',
  }
}

/** https://docs.stripe.com/api/billing/meter-event-summary/list: aligned, start inclusive, end exclusive, eventually consistent. */
export function summarize(account: Account, id: string, params: Params): object {
  const meter = account.require(account.meters, 'billing meter', id)
  const customer = requireText(params, 'customer')
  const [start, end] = [wholeOf(params, 'start_time'), wholeOf(params, 'end_time')]
  if (start === undefined || end === undefined)
    throw invalid('Missing required param: start_time and end_time.', 'start_time')
  const grouping = textOf(params, 'value_grouping_window')
  const step = grouping === 'hour' ? 3600 : grouping === 'day' ? daySeconds : 60
  for (const [name, at] of [
    ['start_time', start],
    ['end_time', end],
  ] as const)
    if (at % step !== 0) throw invalid(`${name} must be aligned with ${grouping ?? 'minute'} boundaries`, name)
  if (end <= start) throw invalid('end_time must be after start_time', 'end_time')
  const buckets: [number, number][] = []
  if (grouping === undefined) buckets.push([start, end])
  else for (let at = end - step; at >= start; at -= step) buckets.push([at, at + step])
  const inAll = eventsIn(account, { meter, customer, from: start, to: end })
  const byStep = Map.groupBy(inAll, ({ timestamp }) =>
    grouping === undefined ? start : timestamp - (timestamp % step),
  )
  const data = buckets.flatMap(([from, to]) => {
    const seen = byStep.get(from) ?? []
    if (seen.length === 0) return []
    return {
      id: `mtrusg_${meter.id}_${customer}_${from}`,
      object: 'billing.meter_event_summary',
      aggregated_value: Number(aggregate(meter, seen)),
      start_time: from,
      end_time: to,
      livemode: false,
      meter: meter.id,
    }
  })
  return pageOf(`/v1/billing/meters/${id}/event_summaries`, data, params)
}

export const usageOf = (account: Account, of: { meter: Meter; customer: string; from: number; to: number }): bigint =>
  aggregate(of.meter, eventsIn(account, of))

const eventsIn = (account: Account, of: { meter: Meter; customer: string; from: number; to: number }) =>
  account.usage.filter(
    (event) =>
      event.meter === of.meter.id &&
      event.customer === of.customer &&
      event.timestamp >= of.from &&
      event.timestamp < of.to &&
      event.visibleAt <= account.now &&
      !event.isCanceled,
  )

/** With a window, each window is worth its newest event (`event_time_window`: events are pre-aggregated). */
function aggregate(meter: Meter, events: readonly MeterEvent[]): bigint {
  const last = events.at(-1)?.value ?? 0n
  if (meter.default_aggregation.formula === 'last') return last
  const step = meter.event_time_window === null ? undefined : meter.event_time_window === 'hour' ? 3600 : daySeconds
  const counted =
    step === undefined ? events : new Map(events.map((event) => [Math.floor(event.timestamp / step), event])).values()
  let sum = 0n
  for (const event of counted) sum += meter.default_aggregation.formula === 'count' ? 1n : event.value
  return sum
}

export const listMeters = (account: Account, params: Params): object => {
  const status = textOf(params, 'status')
  const meters = newestFirst(account.meters).filter((meter) => status === undefined || meter.status === status)
  return pageOf('/v1/billing/meters', meters, params)
}
