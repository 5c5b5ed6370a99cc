import { sql } from 'kysely'
import { instantOf, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'
import { PeriodState } from './store-period.ts'

/** A month of one of many licenses, without what its closing was made from. */
export interface PeriodRow {
  readonly tenant: string
  readonly license: string
  readonly state: PeriodState
  readonly closedAt: Instant | undefined
  readonly closedBy: string | undefined
  readonly rows: bigint | undefined
  readonly invoice: string | undefined
  readonly total: Picos | undefined
  readonly currency: string | undefined
}

/**
 * One month over all licenses that had begun in it, in the order of their numbers: who is to be closed yet, and what came
 * of those that are. A license begins where its first revision takes effect or its term does, whichever is later.
 */
export async function listPeriodsOf(
  tx: Tx,
  asked: {
    period: Period
    tenant: string | undefined
    state: PeriodState | undefined
    after: string
    limit: number
  },
): Promise<readonly PeriodRow[]> {
  const [start, end] = [new Date(asked.period.start), new Date(asked.period.end)]
  const { rows } = await sql<{
    tenant: string
    license: string
    state: string
    closed_at: Date | null
    closed_by: string | null
    rows: bigint | null
    invoice: string | null
    total_picos: string | null
    currency: string | null
  }>`
    select t.tenant, l.license, coalesce(p.state, 'open') as state, c.closed_at, c.closed_by, c.rows, c.invoice,
      i.total_picos, i.currency
    from license l
    join tenant t using (tenant_id)
    join lateral (
      select greatest(r.effective_at, r.term_start) as begins_at from license_revision r
      where r.tenant_id = l.tenant_id and r.license = l.license order by r.revision limit 1) b on b.begins_at < ${end}
    left join billing_period p on p.tenant_id = l.tenant_id and p.license = l.license and p.period_start = ${start}
    left join period_closing c on c.tenant_id = p.tenant_id and c.license = p.license
      and c.period_start = p.period_start and c.closing = p.closing and p.state = 'closed'
    left join invoice i on i.tenant_id = c.tenant_id and i.number = c.invoice
    where l.license > ${asked.after}
      and (${asked.tenant ?? null}::text is null or t.tenant = ${asked.tenant ?? null})
      and (${asked.state ?? null}::text is null or coalesce(p.state, 'open') = ${asked.state ?? null})
    order by l.license limit ${asked.limit}`.execute(tx)
  return rows.map((row) => ({
    tenant: row.tenant,
    license: row.license,
    state: PeriodState.parse(row.state),
    closedAt: row.closed_at === null ? undefined : instantOf(row.closed_at),
    closedBy: row.closed_by ?? undefined,
    rows: row.rows ?? undefined,
    invoice: row.invoice ?? undefined,
    total: row.total_picos === null ? undefined : picos(BigInt(row.total_picos)),
    currency: row.currency ?? undefined,
  }))
}
