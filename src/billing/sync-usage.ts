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
  const pending = await inSystem(needs, async (tx) => {
    await writeReports(tx, needs.now())
    return findOpenLanes(tx, 'pending')
  })
  for (const lane of pending) await inLane(needs, { lane, state: 'pending' }, sendRows)
  const sent = await inSystem(needs, (tx) => findOpenLanes(tx, 'sent'))
  for (const lane of sent) await inLane(needs, { lane, state: 'sent' }, confirmRows)
}

/** A lane that is held, with what waits in it, and what the service calls its tenant and meter, as far as that is known. */
interface OpenLane {
  readonly lane: Lane
  readonly rows: readonly OutboxRow[]
  readonly customer: string | undefined
  readonly meterId: string | undefined
}

async function inLane(
  needs: SyncNeeds,
  { lane, state }: { lane: Lane; state: 'pending' | 'sent' },
  work: (needs: SyncNeeds, open: OpenLane) => Promise<void>,
): Promise<void> {
  const open = await inSystem(needs, async (tx): Promise<OpenLane | undefined> => {
    if (!(await holdLane(tx, needs, lane))) return undefined
    await supersede(tx, lane, needs.now())
    return {
      lane,
      rows: await findRows(tx, lane, { state, rowsMax: rowsPerRunMax }),
      customer: await findCustomer(tx, lane.tenantId),
      meterId: await findMeter(tx, lane.meter),
    }
  })
  if (open === undefined) return
  try {
    await work(needs, open)
  } finally {
    await inSystem(needs, (tx) => leaveLane(tx, lane, { holder: needs.holder, now: needs.now() }))
  }
}

const holdLane = (tx: Tx, needs: SyncNeeds, lane: Lane): Promise<boolean> =>
  takeLane(tx, lane, { holder: needs.holder, now: needs.now(), seconds: laneSeconds })

async function sendRows(needs: SyncNeeds, open: OpenLane): Promise<void> {
  const { lane, rows } = open
  const { customer, meterId } = await namesOf(needs, open)
  let ended: { row: OutboxRow; state: 'sent' | 'refused' | 'too_late' } | undefined
  const writeEnd = async (tx: Tx) => {
    if (ended !== undefined) await endRow(tx, lane, ended.row, { state: ended.state, now: needs.now() })
  }
  for (const row of rows) {
    const identifier = row.identifier ?? identifierOf({ meterId, customer, hour: row.hour, revision: row.revision })
    // Each report is made under a lane that is held for longer than its call may last, and under a name that is kept.
    const isHeld = await inSystem(needs, async (tx) => {
      await writeEnd(tx)
      if (!(await holdLane(tx, needs, lane))) return false
      if (row.identifier === null) await nameReport(tx, lane, row, identifier)
      return true
    })
    ended = undefined
    if (!isHeld) return
    const state = isTooLate(row, needs.now()) ? 'too_late' : await sendRow(needs, lane, { row, customer, identifier })
    if (state !== 'sent') needs.log.error('stripe.usage_not_taken', { meter: lane.meter, state, hour: row.hour })
    ended = { row, state }
  }
  await inSystem(needs, writeEnd)
}

const isTooLate = (row: OutboxRow, now: Instant): boolean => row.hour < plusMs(plusDays(now, -reportDaysMax), wayMs)

async function sendRow(
  needs: SyncNeeds,
  lane: Lane,
  of: { row: OutboxRow; customer: string; identifier: string },
): Promise<'sent' | 'refused'> {
  const { row, customer, identifier } = of
  const { hour, quantity, idempotencyKey } = row
  const eventName = eventNameOf(lane.meter)
  const outcome = await needs.sink.reportUsage({ customer, eventName, hour, quantity, identifier, idempotencyKey })
  return outcome === 'taken' ? 'sent' : 'refused'
}

async function confirmRows(needs: SyncNeeds, open: OpenLane): Promise<void> {
  const { lane, rows } = open
  const { customer, meterId } = await namesOf(needs, open)
  const [first, last] = [rows.at(0), rows.at(-1)]
  if (first === undefined || last === undefined) return
  const to = plusMs(last.hour, hourMs)
  const counted = await needs.sink.readUsage({ customer, meterId, from: first.hour, to })
  const now = needs.now()
  const lost = await inSystem(needs, async (tx) => {
    const hours: Instant[] = []
    for (const row of rows) {
      const verdict = judge(row, counted.get(row.hour), now)
      if (verdict === 'wait') continue
      await endRow(tx, lane, row, { state: verdict, now })
      if (verdict === 'confirmed') continue
      await writeAgain(tx, lane, row, now)
      hours.push(row.hour)
    }
    return hours
  })
  for (const hour of lost) needs.log.warn('stripe.usage_lost', { meter: lane.meter, hour })
}

function judge(row: OutboxRow, counted: bigint | undefined, now: Instant): 'confirmed' | 'lost' | 'wait' {
  if (counted === row.quantity) return 'confirmed'
  return now - (row.sentAt ?? now) > countedWithinMs ? 'lost' : 'wait'
}

/** The tenant's customer and the meter at the service, made when they are not there. */
async function namesOf(needs: SyncNeeds, open: OpenLane): Promise<{ customer: string; meterId: string }> {
  const { tenantId, tenantName: name, meter } = open.lane
  return {
    customer: open.customer ?? (await customerOf(needs, { tenantId, name })),
    meterId: open.meterId ?? (await meterIdOf(needs, meter)),
  }
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
