import { sql } from 'kysely'
import type { Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { monthOf } from './month.ts'
import { loadInvoices, loadLines } from './store-invoice.ts'

/** A call that a line counts. */
export interface ExplainedCall {
  readonly requestId: Uuid
  readonly attempt: number
  readonly startedAt: string
  readonly facility: string
  readonly quantity: bigint
}

export interface ExplainedLine {
  /** Of all its calls, those not shown included. */
  readonly calls: bigint
  readonly quantity: bigint
  /** A page of them by time. */
  readonly first: readonly ExplainedCall[]
  /** Where the next page goes on; undefined when nothing follows. */
  readonly next: CallCursor | undefined
}

/** Where a page of calls ends. Microseconds, as the ledger has them. */
export interface CallCursor {
  readonly startedAt: string
  readonly requestId: Uuid
  readonly attempt: number
}

export const explainedCallsMax = 1000

/**
 * A line of an invoice down to the calls that it counts: of a charge, those of its month that were there when it was
 * frozen; of a correction, those that came late and count in the invoice's month. Undefined when there is no such line, or
 * when no call stands behind it (a facility, a commitment, credit).
 */
export async function explainLine(
  tx: Tx,
  of: { number: string; line: number },
  page: { after: CallCursor | undefined; limit: number } = { after: undefined, limit: explainedCallsMax },
): Promise<ExplainedLine | undefined> {
  const [invoice] = await loadInvoices(tx, { number: of.number })
  const line = invoice === undefined ? undefined : (await loadLines(tx, invoice)).find(({ line: at }) => at === of.line)
  if (invoice === undefined || line?.meter === undefined || line.phase === undefined) return undefined
  const { start, end } = monthOf(line.usagePeriodStart)
  const [counted, month] = [new Date(invoice.periodStart), new Date(start)]
  const isLate = sql`exists (select from usage_late l where l.tenant_id = e.tenant_id and l.started_at = e.started_at
    and l.request_id = e.request_id and l.attempt = e.attempt and l.counted_in`
  const among =
    line.kind === 'correction' ? sql`${isLate} = ${counted})` : sql`not ${isLate} is distinct from ${counted})`
  const { after } = page
  const { rows } = await sql<{
    request_id: string | null
    attempt: number
    started_at: string
    facility: string
    quantity: bigint
    calls: bigint
    total: string
  }>`
    with counted as materialized (
      select e.request_id, e.attempt, e.started_at, e.facility, e.quantity
      from (
        select e.*, e.${sql.ref(line.meter)}::bigint as quantity, case when r.evaluation then 'evaluation'
          when e.started_at < r.term_end then 'term' else 'grace' end as phase
        from usage_event e
        join license_revision r on r.tenant_id = e.tenant_id and r.license = e.license
          and r.revision = e.license_revision
        where e.tenant_id = ${invoice.tenantId} and e.license = ${invoice.license}
          and e.started_at >= ${month} and e.started_at < ${new Date(end)} and ${among}) e
      where e.outcome <> 'expired' and e.model = ${line.model ?? ''} and e.license_revision = ${line.licenseRevision ?? 0}
        and e.plan = ${line.plan ?? ''} and e.plan_revision = ${line.planRevision ?? 0} and e.phase = ${line.phase}
        and e.quantity <> 0)
    select s.calls, s.total, p.*
    from (select count(*) as calls, coalesce(sum(quantity), 0) as total from counted) s
    left join lateral (
      select request_id, attempt, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
        facility, quantity
      from counted c where ${after === undefined}::boolean or (c.started_at, c.request_id, c.attempt)
        > (${after?.startedAt ?? null}::timestamptz, ${after?.requestId ?? null}::uuid, ${after?.attempt ?? null}::smallint)
      order by c.started_at, c.request_id, c.attempt limit ${page.limit + 1}) p on true
    order by p.started_at, p.request_id, p.attempt`.execute(tx)
  const calls = rows.flatMap(({ request_id: requestId, attempt, started_at: startedAt, facility, quantity }) =>
    requestId === null ? [] : [{ requestId, attempt, startedAt, facility, quantity }],
  )
  const first = calls.slice(0, page.limit)
  return {
    calls: rows[0]?.calls ?? 0n,
    quantity: BigInt(rows[0]?.total ?? 0),
    first,
    next: calls.length > page.limit ? first.at(-1) : undefined,
  }
}
