import { instant, plusDays, plusMs, type Instant, type Log } from '../kernel/index.ts'
import { systemTransaction, type Database, type Tx } from '../db/index.ts'
import type { MoneySink } from './money-sink.ts'
import {
  endRow,
  findCustomer,
  findMeter,
  findOpenLanes,
  findRows,
  leaveLane,
  nameReport,
  noteCustomer,
  noteMeter,
  supersede,
  takeLane,
  writeAgain,
  writeReports,
  type Lane,
  type OutboxRow,
} from './store-stripe.ts'

/** Longer than a call to the service may last, which is fifteen seconds. */
const laneSeconds = 60
const rowsPerRunMax = 500
/** docs.stripe.com/api/billing/meter-event/create; a minute is left for the way. */
const reportDaysMax = 35
const wayMs = 60_000
/** Summaries lag. A total that is not counted by then is sent again. */
const countedWithinMs = 3_600_000
const hourMs = 3_600_000

export interface SyncNeeds {
  readonly database: Database
  readonly sink: MoneySink
  readonly log: Log
  /** This process, as the holder of lanes. */
  readonly holder: string
  readonly now: () => Instant
}

/**
 * One run of the outbox: writes what changed, sends what is written, reads back what was sent.
 *
 * A row is `pending` until the service took it, `sent` until its summary shows the total, then `confirmed`. One that a newer
 * revision replaces is `superseded`; one that the service took and does not count is `lost`, and written again under a new
 * identifier; one older than the service takes is `too_late`, and is a matter of the next invoice.
 * A crash at any point leaves `pending` what may have been sent; sending the same total again adds nothing, on any day.
 */
export async function syncUsage(needs: SyncNeeds): Promise<void> {
  await inSystem(needs, (tx) => writeReports(tx, needs.now()))
  await overLanes(needs, 'pending', sendLane)
  await overLanes(needs, 'sent', confirmLane)
}

async function overLanes(
  needs: SyncNeeds,
  state: 'pending' | 'sent',
  work: (needs: SyncNeeds, lane: Lane) => Promise<void>,
): Promise<void> {
  for (const lane of await inSystem(needs, (tx) => findOpenLanes(tx, state))) {
    if (!(await holdLane(needs, lane))) continue
    try {
      await work(needs, lane)
    } finally {
      await inSystem(needs, (tx) => leaveLane(tx, lane, { holder: needs.holder, now: needs.now() }))
    }
  }
}

const holdLane = (needs: SyncNeeds, lane: Lane): Promise<boolean> =>
  inSystem(needs, (tx) => takeLane(tx, lane, { holder: needs.holder, now: needs.now(), seconds: laneSeconds }))

async function sendLane(needs: SyncNeeds, lane: Lane): Promise<void> {
  const { customer, meterId } = await namesOf(needs, lane)
  const rows = await inSystem(needs, async (tx) => {
    await supersede(tx, lane, needs.now())
    return findRows(tx, lane, { state: 'pending', rowsMax: rowsPerRunMax })
  })
  for (const row of rows) {
    // Each report is made under a lane that is still held for longer than its call may last.
    if (!(await holdLane(needs, lane))) return
    const state = isTooLate(row, needs.now()) ? 'too_late' : await sendRow(needs, lane, { row, customer, meterId })
    if (state !== 'sent') needs.log.error('stripe.usage_not_taken', { meter: lane.meter, state, hour: row.hour })
    await inSystem(needs, (tx) => endRow(tx, lane, row, { state, now: needs.now() }))
  }
}

const isTooLate = (row: OutboxRow, now: Instant): boolean => row.hour < plusMs(plusDays(now, -reportDaysMax), wayMs)

async function sendRow(
  needs: SyncNeeds,
  lane: Lane,
  of: { row: OutboxRow; customer: string; meterId: string },
): Promise<'sent' | 'refused'> {
  const { row, customer, meterId } = of
  const identifier = row.identifier ?? identifierOf({ meterId, customer, hour: row.hour, revision: row.revision })
  await inSystem(needs, (tx) => nameReport(tx, lane, row, identifier))
  const { hour, quantity, idempotencyKey } = row
  const eventName = eventNameOf(lane.meter)
  const outcome = await needs.sink.reportUsage({ customer, eventName, hour, quantity, identifier, idempotencyKey })
  return outcome === 'taken' ? 'sent' : 'refused'
}

async function confirmLane(needs: SyncNeeds, lane: Lane): Promise<void> {
  const { customer, meterId } = await namesOf(needs, lane)
  const rows = await inSystem(needs, async (tx) => {
    await supersede(tx, lane, needs.now())
    return findRows(tx, lane, { state: 'sent', rowsMax: rowsPerRunMax })
  })
  const [first, last] = [rows.at(0), rows.at(-1)]
  if (first === undefined || last === undefined) return
  const to = plusMs(last.hour, hourMs)
  const counted = await needs.sink.readUsage({ customer, meterId, from: first.hour, to })
  for (const row of rows) {
    const now = needs.now()
    const verdict = judge(row, counted.get(row.hour), now)
    if (verdict === 'wait') continue
    if (verdict === 'lost') needs.log.warn('stripe.usage_lost', { meter: lane.meter, hour: row.hour })
    await inSystem(needs, async (tx) => {
      await endRow(tx, lane, row, { state: verdict, now })
      if (verdict === 'lost') await writeAgain(tx, lane, row, now)
    })
  }
}

function judge(row: OutboxRow, counted: bigint | undefined, now: Instant): 'confirmed' | 'lost' | 'wait' {
  if (counted === row.quantity) return 'confirmed'
  return now - (row.sentAt ?? now) > countedWithinMs ? 'lost' : 'wait'
}

/** The tenant's customer and the meter at the service, made when they are not there. */
async function namesOf(needs: SyncNeeds, lane: Lane): Promise<{ customer: string; meterId: string }> {
  const customer = await customerOf(needs, { tenantId: lane.tenantId, name: lane.tenantName })
  return { customer, meterId: await meterIdOf(needs, lane.meter) }
}

export async function meterIdOf(needs: Pick<SyncNeeds, 'database' | 'sink' | 'now'>, meter: string): Promise<string> {
  const known = await inSystem(needs, (tx) => findMeter(tx, meter))
  if (known !== undefined) return known
  const meterId = await needs.sink.ensureMeter(eventNameOf(meter))
  await inSystem(needs, (tx) => noteMeter(tx, { meter, meterId, now: needs.now() }))
  return meterId
}

export async function customerOf(
  needs: Pick<SyncNeeds, 'database' | 'sink' | 'now'>,
  tenant: { tenantId: string; name: string },
): Promise<string> {
  const known = await inSystem(needs, (tx) => findCustomer(tx, tenant.tenantId))
  if (known !== undefined) return known
  const customer = await needs.sink.ensureCustomer(tenant)
  await inSystem(needs, (tx) => noteCustomer(tx, { tenantId: tenant.tenantId, customer, now: needs.now() }))
  return customer
}

const eventNameOf = (meter: string): string => `formulary.${meter}`

/** Of Stripe's own ids, which are short enough for its hundred characters. */
const identifierOf = (of: { meterId: string; customer: string; hour: Instant; revision: number }): string =>
  `v1:${of.meterId}:${of.customer}:${new Date(instant(of.hour)).toISOString().slice(0, 13)}:${of.revision}`

const inSystem = <T>({ database }: Pick<SyncNeeds, 'database'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  systemTransaction(database, 'sync-billing', work)
