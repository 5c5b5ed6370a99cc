import { instantOf, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { smallestUnit } from './currency.ts'
import type { InvoiceState } from './invoice-there.ts'
import { InvoiceStateOf } from './store-stripe-invoice.ts'

/** What stands of Stripe, in counts: of whoever asks whether all is well. */
export interface StripeStatus {
  /** Documents by state. */
  readonly documents: Readonly<Record<string, number>>
  /** Reports of usage by state. */
  readonly usage: Readonly<Record<string, number>>
  readonly openDifferences: number
  /** Tenants whose customer was deleted at Stripe. */
  readonly tenantsWithoutCustomer: readonly string[]
  readonly lastEventAt: Instant | undefined
}

export async function loadStripeStatus(tx: Tx): Promise<StripeStatus> {
  const documents = await tx
    .selectFrom('stripe_invoice')
    .select(['state', (eb) => eb.fn.countAll<bigint>().as('rows')])
    .groupBy('state')
    .orderBy('state')
    .execute()
  const usage = await tx
    .selectFrom('stripe_usage')
    .select(['state', (eb) => eb.fn.countAll<bigint>().as('rows')])
    .groupBy('state')
    .orderBy('state')
    .execute()
  const open = await tx
    .selectFrom('stripe_difference')
    .select((eb) => eb.fn.countAll<bigint>().as('rows'))
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow()
  const gone = await tx
    .selectFrom('stripe_customer as c')
    .innerJoin('tenant as t', 't.tenant_id', 'c.tenant_id')
    .select('t.tenant')
    .where('c.gone_at', 'is not', null)
    .orderBy('t.tenant')
    .execute()
  const last = await tx
    .selectFrom('stripe_event')
    .select('received_at')
    .orderBy('received_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  const counts = (rows: readonly { state: string; rows: bigint }[]) =>
    Object.fromEntries(rows.map((row) => [row.state, Number(row.rows)]))
  return {
    documents: counts(documents),
    usage: counts(usage),
    openDifferences: Number(open.rows),
    tenantsWithoutCustomer: gone.map(({ tenant }) => tenant),
    lastEventAt: last === undefined ? undefined : instantOf(last.received_at),
  }
}

/** A document as it stands at Stripe. */
export interface StripeDocument {
  readonly number: string
  readonly tenant: string
  readonly kind: string
  readonly state: InvoiceState
  /** Stripe's own word. */
  readonly status: string
  readonly stripeId: string | undefined
  readonly currency: string
  readonly total: Picos
  readonly collected: Picos
  readonly lastError: string | undefined
  readonly lookedAt: Instant | undefined
  readonly differences: readonly { line: string; class: string; here: string; there: string }[]
}

/** Documents in the order of their numbers, after one of them. */
export async function listStripeDocuments(
  tx: Tx,
  of: { state: InvoiceState | undefined; after: string; limit: number },
): Promise<readonly StripeDocument[]> {
  const rows = await tx
    .selectFrom('stripe_invoice as s')
    .innerJoin('tenant as t', 't.tenant_id', 's.tenant_id')
    .selectAll('s')
    .select('t.tenant')
    .where('s.invoice', '>', of.after)
    .$if(of.state !== undefined, (query) => query.where('s.state', '=', of.state ?? ''))
    .orderBy('s.invoice')
    .limit(of.limit)
    .execute()
  if (rows.length === 0) return []
  const differences = await tx
    .selectFrom('stripe_difference')
    .selectAll()
    .where(
      'invoice',
      'in',
      rows.map(({ invoice }) => invoice),
    )
    .where('ended_at', 'is', null)
    .orderBy('line')
    .execute()
  return rows.map((row) => ({
    number: row.invoice,
    tenant: row.tenant,
    kind: row.kind,
    state: InvoiceStateOf.parse(row.state),
    status: row.status,
    stripeId: row.stripe_invoice ?? undefined,
    currency: row.currency,
    total: picos(row.total_minor * smallestUnit(row.currency)),
    collected: picos(row.paid_minor * smallestUnit(row.currency)),
    lastError: row.last_error ?? undefined,
    lookedAt: row.looked_at === null ? undefined : instantOf(row.looked_at),
    differences: differences
      .filter((one) => one.invoice === row.invoice && one.tenant_id === row.tenant_id)
      .map((one) => ({ line: one.line, class: one.class, here: one.here, there: one.there })),
  }))
}

export interface StripeEventRow {
  readonly eventId: string
  readonly type: string
  readonly about: string | undefined
  readonly outcome: string
  readonly receivedAt: Instant
}

/** Events, the latest first, before one of them. */
export async function listStripeEvents(
  tx: Tx,
  of: { before: { receivedAt: Instant; eventId: string } | undefined; limit: number },
): Promise<readonly StripeEventRow[]> {
  const { before } = of
  const rows = await tx
    .selectFrom('stripe_event')
    .selectAll()
    .$if(before !== undefined, (query) =>
      query.where((eb) =>
        eb(
          eb.refTuple('received_at', 'event_id'),
          '<',
          eb.tuple(new Date(before?.receivedAt ?? 0), before?.eventId ?? ''),
        ),
      ),
    )
    .orderBy('received_at', 'desc')
    .orderBy('event_id', 'desc')
    .limit(of.limit)
    .execute()
  return rows.map((row) => ({
    eventId: row.event_id,
    type: row.type,
    about: row.about ?? undefined,
    outcome: row.outcome,
    receivedAt: instantOf(row.received_at),
  }))
}
