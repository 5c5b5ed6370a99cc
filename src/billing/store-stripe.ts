import { sql } from 'kysely'
import { instantOf, type Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** How far back changed hours are looked for. Older ones nobody reports: they become lines of an invoice. */
const lookBackDays = 62

export interface Lane {
  readonly tenantId: string
  readonly tenantName: string
  readonly meter: string
}

export interface OutboxRow {
  readonly hour: Instant
  readonly revision: number
  readonly quantity: bigint
  readonly identifier: string | null
  readonly idempotencyKey: string
  readonly sentAt: Instant | undefined
}

/** Writes a revision for each ended hour whose total is not the one last written. Returns how many. */
export async function writeReports(tx: Tx, now: Instant): Promise<number> {
  const at = new Date(now)
  const { numAffectedRows } = await sql`
    insert into stripe_usage (tenant_id, meter, hour, revision, quantity, written_at)
    select used.tenant_id, used.model || '.' || of.meter, used.hour, coalesce(last.revision, 0) + 1, of.quantity, ${at}
    from (
      select tenant_id, model, hour, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
        sum(requests) as requests, sum(inferences) as inferences
      from usage_hour
      where hour >= ${at}::timestamptz - make_interval(days => ${lookBackDays})
        and hour <= ${at}::timestamptz - interval '1 hour'
      group by 1, 2, 3) as used
    cross join lateral (values ('input_tokens', input_tokens), ('output_tokens', output_tokens),
      ('requests', requests), ('inferences', inferences)) as of (meter, quantity)
    left join lateral (
      select revision, quantity from stripe_usage as sent
      where sent.tenant_id = used.tenant_id and sent.meter = used.model || '.' || of.meter and sent.hour = used.hour
      order by revision desc limit 1) as last on true
    where of.quantity > 0 and last.quantity is distinct from of.quantity
    on conflict do nothing`.execute(tx)
  return Number(numAffectedRows ?? 0n)
}

/** Lanes with something to send or to confirm. */
export async function findOpenLanes(tx: Tx, state: 'pending' | 'sent'): Promise<readonly Lane[]> {
  const rows = await tx
    .selectFrom('stripe_usage')
    .innerJoin('tenant', 'tenant.tenant_id', 'stripe_usage.tenant_id')
    .select(['stripe_usage.tenant_id', 'tenant.name', 'stripe_usage.meter'])
    .distinct()
    .where('state', '=', state)
    .orderBy('stripe_usage.tenant_id')
    .orderBy('meter')
    .execute()
  return rows.map((row) => ({ tenantId: row.tenant_id, tenantName: row.name, meter: row.meter }))
}

/** Whether the lane is this holder's now. A holder that died loses it when its time is up. */
export async function takeLane(tx: Tx, lane: Lane, by: { holder: string; now: Instant; seconds: number }) {
  const now = new Date(by.now)
  const until = new Date(by.now + by.seconds * 1000)
  const { rows } = await sql`
    insert into stripe_lane as l (tenant_id, meter, holder, held_until)
    values (${lane.tenantId}, ${lane.meter}, ${by.holder}, ${until})
    on conflict (tenant_id, meter) do update set holder = excluded.holder, held_until = excluded.held_until
    where l.held_until <= ${now} or l.holder = excluded.holder
    returning 1`.execute(tx)
  return rows.length === 1
}

export async function leaveLane(tx: Tx, lane: Lane, by: { holder: string; now: Instant }): Promise<void> {
  await sql`
    update stripe_lane set held_until = ${new Date(by.now)}
    where tenant_id = ${lane.tenantId} and meter = ${lane.meter} and holder = ${by.holder}`.execute(tx)
}

/** Ends what a newer revision of the same hour has replaced: an older total is never sent after it, and never waited for. */
export async function supersede(tx: Tx, lane: Lane, now: Instant): Promise<void> {
  await sql`
    update stripe_usage as old set state = 'superseded', ended_at = ${new Date(now)}
    where tenant_id = ${lane.tenantId} and meter = ${lane.meter} and state in ('pending', 'sent')
      and exists (select from stripe_usage as newer where newer.tenant_id = old.tenant_id and newer.meter = old.meter
        and newer.hour = old.hour and newer.revision > old.revision)`.execute(tx)
}

export async function findRows(
  tx: Tx,
  lane: Lane,
  of: { state: 'pending' | 'sent'; rowsMax: number },
): Promise<readonly OutboxRow[]> {
  const rows = await tx
    .selectFrom('stripe_usage')
    .select(['hour', 'revision', 'quantity', 'identifier', 'idempotency_key', 'sent_at'])
    .where('tenant_id', '=', lane.tenantId)
    .where('meter', '=', lane.meter)
    .where('state', '=', of.state)
    .orderBy('hour')
    .limit(of.rowsMax)
    .execute()
  return rows.map((row) => ({
    hour: instantOf(row.hour),
    revision: row.revision,
    quantity: row.quantity,
    identifier: row.identifier,
    idempotencyKey: row.idempotency_key,
    sentAt: row.sent_at === null ? undefined : instantOf(row.sent_at),
  }))
}

export async function nameReport(tx: Tx, lane: Lane, row: OutboxRow, identifier: string): Promise<void> {
  await rowOf(tx, lane, row).set({ identifier }).where('identifier', 'is', null).execute()
}

export type RowEnd = 'sent' | 'confirmed' | 'lost' | 'too_late' | 'refused'

export async function endRow(tx: Tx, lane: Lane, row: OutboxRow, end: { state: RowEnd; now: Instant }): Promise<void> {
  const at = new Date(end.now)
  await rowOf(tx, lane, row)
    .set(end.state === 'sent' ? { state: 'sent', sent_at: at } : { state: end.state, ended_at: at })
    // An event that says that it is refused may be here before the answer that it was taken.
    .where('state', 'in', ['pending', 'sent'])
    .execute()
}

/** The same total under a new identifier: Stripe took the one before, and does not count it. */
export async function writeAgain(tx: Tx, lane: Lane, row: OutboxRow, now: Instant): Promise<void> {
  await tx
    .insertInto('stripe_usage')
    .values({
      tenant_id: lane.tenantId,
      meter: lane.meter,
      hour: new Date(row.hour),
      revision: row.revision + 1,
      quantity: row.quantity,
      written_at: new Date(now),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function findCustomer(tx: Tx, tenantId: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('stripe_customer')
    .select('customer')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst()
  return row?.customer
}

export async function noteCustomer(tx: Tx, of: { tenantId: string; customer: string; now: Instant }): Promise<void> {
  await tx
    .insertInto('stripe_customer')
    .values({ tenant_id: of.tenantId, customer: of.customer, recorded_at: new Date(of.now) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function findMeter(tx: Tx, meter: string): Promise<string | undefined> {
  const row = await tx.selectFrom('stripe_meter').select('meter_id').where('meter', '=', meter).executeTakeFirst()
  return row?.meter_id
}

export async function noteMeter(tx: Tx, of: { meter: string; meterId: string; now: Instant }): Promise<void> {
  await tx
    .insertInto('stripe_meter')
    .values({ meter: of.meter, meter_id: of.meterId, recorded_at: new Date(of.now) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

const rowOf = (tx: Tx, lane: Lane, row: OutboxRow) =>
  tx
    .updateTable('stripe_usage')
    .where('tenant_id', '=', lane.tenantId)
    .where('meter', '=', lane.meter)
    .where('hour', '=', new Date(row.hour))
    .where('revision', '=', row.revision)
