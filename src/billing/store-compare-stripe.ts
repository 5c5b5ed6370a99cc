import { sql } from 'kysely'
import { instantOf, picos, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { smallestUnit } from './currency.ts'
import type { Period } from './month.ts'
import type { InvoicePair, MeterHour } from './reconcile/exception.ts'
import type { StripeLine } from './reconcile/stripe-books.ts'

/** What has to be read at Stripe of a month: every meter of every customer, and the invoices that were brought there. */
export async function findReadings(tx: Tx, { start }: Period) {
  const lanes = await sql<{ tenantId: Uuid; meter: string; customer: string; meterId: string }>`
    select c.tenant_id as "tenantId", m.meter, c.customer, m.meter_id as "meterId"
    from stripe_customer c cross join stripe_meter m order by 1, 2`.execute(tx)
  const invoices = await sql<{ tenantId: Uuid; invoice: string; stripeInvoice: string }>`
    select s.tenant_id as "tenantId", s.invoice, s.stripe_invoice as "stripeInvoice"
    from stripe_invoice s join invoice i on i.tenant_id = s.tenant_id and i.number = s.invoice
    where i.period_start = ${new Date(start)} and i.series = 'INV' and s.stripe_invoice is not null order by 2`.execute(
    tx,
  )
  return { lanes: lanes.rows, invoices: invoices.rows }
}

/** In the place of what was read before. */
export async function keepHours(
  tx: Tx,
  of: { tenantId: Uuid; meter: string; period: Period; hours: ReadonlyMap<Instant, bigint>; now: Instant },
): Promise<void> {
  const { tenantId, meter, period, hours } = of
  await tx
    .deleteFrom('stripe_hour')
    .where('tenant_id', '=', tenantId)
    .where('meter', '=', meter)
    .where('hour', '>=', new Date(period.start))
    .where('hour', '<', new Date(period.end))
    .execute()
  await sql`
    insert into stripe_hour (tenant_id, meter, hour, quantity, read_at)
    select ${tenantId}, ${meter}, to_timestamp(at / 1000.0), quantity, ${new Date(of.now)}
    from unnest(${[...hours.keys()]}::bigint[], ${[...hours.values()].map(String)}::bigint[]) as r (at, quantity)`.execute(
    tx,
  )
}

export async function keepLines(
  tx: Tx,
  of: { tenantId: Uuid; invoice: string; lines: readonly StripeLine[]; now: Instant },
): Promise<void> {
  const { tenantId, invoice, lines } = of
  await tx.deleteFrom('stripe_line').where('tenant_id', '=', tenantId).where('invoice', '=', invoice).execute()
  await sql`
    insert into stripe_line (tenant_id, invoice, stripe_line, line, amount_minor, read_at)
    select ${tenantId}, ${invoice}, stripe_line, line, amount_minor, ${new Date(of.now)}
    from unnest(${lines.map(({ stripeLine }) => stripeLine)}::text[], ${lines.map(({ line }) => line ?? null)}::text[],
      ${lines.map(({ amountMinor }) => String(amountMinor))}::bigint[]) as r (stripe_line, line, amount_minor)`.execute(
    tx,
  )
}

/** Whether anything was ever read at Stripe of a month. */
export async function hasReadings(tx: Tx, { start, end }: Period): Promise<boolean> {
  const { rows } = await sql<{ has: boolean }>`
    select exists (select from stripe_hour where hour >= ${new Date(start)} and hour < ${new Date(end)})
      or exists (select from stripe_line l join invoice i on i.tenant_id = l.tenant_id and i.number = l.invoice
        where i.period_start = ${new Date(start)}) as has`.execute(tx)
  return rows[0]?.has === true
}

/** What the ledger counts of Stripe's customers, by meter and hour. */
const ledgerHours = ({ start, end }: Period) => sql`
  select used.tenant_id, used.model || '.' || of.meter as meter, used.hour, of.quantity
  from (
    select tenant_id, model, hour, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
      sum(requests) as requests, sum(inferences) as inferences
    from usage_hour where hour >= ${new Date(start)} and hour < ${new Date(end)}
      and tenant_id in (select tenant_id from stripe_customer)
    group by 1, 2, 3) as used
  cross join lateral (values ('input_tokens', input_tokens), ('output_tokens', output_tokens),
    ('requests', requests), ('inferences', inferences)) as of (meter, quantity)
  where of.quantity <> 0`

const stripeHours = ({ start, end }: Period) => sql`
  select tenant_id, meter, hour, quantity from stripe_hour
  where hour >= ${new Date(start)} and hour < ${new Date(end)} and quantity <> 0`

/** The hours that the ledger and Stripe count differently, and the sum of those that they count alike. */
export async function compareHours(
  tx: Tx,
  period: Period,
): Promise<{ readonly different: readonly MeterHour[]; readonly agreed: bigint }> {
  const both = sql`
    with ledger as (${ledgerHours(period)}), stripe as (${stripeHours(period)})
    select tenant_id, meter, hour, l.quantity as ledger, s.quantity as stripe
    from ledger l full join stripe s using (tenant_id, meter, hour)`
  const { rows } = await sql<{
    tenant_id: Uuid
    tenant: string
    meter: string
    hour: Date
    ledger: string | null
    stripe: string | null
    reports: readonly { revision: number; quantity: string; state: string }[] | null
  }>`
    select b.tenant_id, t.tenant, b.meter, b.hour, b.ledger::text, b.stripe::text, r.reports
    from (${both}) as b join tenant t on t.tenant_id = b.tenant_id
    left join lateral (
      select json_agg(json_build_object('revision', revision, 'quantity', quantity::text, 'state', state)
        order by revision) as reports
      from stripe_usage u where u.tenant_id = b.tenant_id and u.meter = b.meter and u.hour = b.hour) as r on true
    where b.ledger is distinct from b.stripe::numeric
    order by 1, 3, 4`.execute(tx)
  const agreed = await sql<{ sum: string }>`
    select coalesce(sum(ledger), 0)::text as sum from (${both}) as b where ledger = stripe`.execute(tx)
  return {
    agreed: BigInt(agreed.rows[0]?.sum ?? 0),
    different: rows.map((row) => {
      const reports = (row.reports ?? []).map((one) => ({ ...one, quantity: BigInt(one.quantity) }))
      return {
        tenantId: row.tenant_id,
        tenant: row.tenant,
        meter: row.meter,
        hour: instantOf(row.hour),
        ledger: BigInt(row.ledger ?? 0),
        last: reports.at(-1),
        reported: reports.map(({ quantity }) => quantity),
        stripe: row.stripe === null ? undefined : BigInt(row.stripe),
      }
    }),
  }
}

/** Either side by itself. */
export async function loadHourTotals(tx: Tx, period: Period): Promise<{ ours: bigint; theirs: bigint }> {
  const { rows } = await sql<{ ours: string; theirs: string }>`
    select (select coalesce(sum(quantity), 0)::text from (${ledgerHours(period)}) as l) as ours,
      (select coalesce(sum(quantity), 0)::text from (${stripeHours(period)}) as s) as theirs`.execute(tx)
  return { ours: BigInt(rows[0]?.ours ?? 0), theirs: BigInt(rows[0]?.theirs ?? 0) }
}

/**
 * The lines of a month's invoices beside those at Stripe, of the customers of Stripe. Lines of nothing are not looked for
 * there. Credit notes are Stripe's own kind of document, without lines of ours.
 */
export async function loadInvoicePairs(tx: Tx, { start }: Period): Promise<readonly InvoicePair[]> {
  const { rows } = await sql<{
    tenant_id: Uuid
    license: string
    invoice: string
    currency: string
    line: number | null
    stripe_line: string | null
    ours: string | null
    theirs: bigint | null
  }>`
    with issued as (
      select i.tenant_id, i.license, i.number as invoice, i.currency from invoice i
      where i.period_start = ${new Date(start)} and i.series = 'INV'
        and i.tenant_id in (select tenant_id from stripe_customer)),
    here as (
      select tenant_id, number as invoice, line, amount_picos from invoice_line where (tenant_id, number) in (
        select tenant_id, invoice from issued))
    select i.tenant_id, i.license, i.invoice, i.currency, p.line, p.stripe_line, p.ours, p.theirs
    from issued i join (
      select coalesce(h.tenant_id, s.tenant_id) as tenant_id, coalesce(h.invoice, s.invoice) as invoice, h.line,
        s.stripe_line, h.amount_picos::text as ours, s.amount_minor as theirs
      from here h full join stripe_line s
        on s.tenant_id = h.tenant_id and s.invoice = h.invoice and s.line = h.line::text) as p
      on p.tenant_id = i.tenant_id and p.invoice = i.invoice
    where coalesce(p.ours, '') <> '0' or coalesce(p.theirs, 0) <> 0
    order by i.invoice, p.line, p.stripe_line`.execute(tx)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    license: row.license,
    invoice: row.invoice,
    currency: row.currency,
    line: row.line ?? undefined,
    stripeLine: row.stripe_line ?? undefined,
    ours: row.ours === null ? undefined : picos(BigInt(row.ours)),
    theirs: row.theirs === null ? undefined : picos(row.theirs * smallestUnit(row.currency)),
  }))
}

/** What was invoiced, and what stands at Stripe, by currency. */
export async function loadLineTotals(tx: Tx, { start }: Period) {
  const { rows } = await sql<{ currency: string; ours: string; theirs: string }>`
    select i.currency, sum(i.total_picos)::text as ours,
      coalesce(sum((select sum(amount_minor) from stripe_line s
        where s.tenant_id = i.tenant_id and s.invoice = i.number)), 0)::text as theirs
    from invoice i where i.period_start = ${new Date(start)} and i.series = 'INV'
      and i.tenant_id in (select tenant_id from stripe_customer)
    group by i.currency`.execute(tx)
  return {
    ours: new Map(rows.map((row) => [row.currency, BigInt(row.ours)])),
    theirs: new Map(rows.map((row) => [row.currency, BigInt(row.theirs) * smallestUnit(row.currency)])),
  }
}
