import { sql } from 'kysely'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { checkPeriod, type CheckedItem } from './checklist.ts'
import { monthsFrom } from './license-months.ts'
import { monthOf, type Period } from './month.ts'
import { reconciledMonth } from './reconcile/reconciled-month.ts'

/**
 * The checklists of one month for many licenses, by license: what `goThroughChecklist` says of each, in one statement for
 * all of them. What is compared with the host's and Stripe's figures is asked license by license.
 */
export async function listChecklists(
  tx: Tx,
  { period, licenses, now }: { period: Period; licenses: readonly string[]; now: Instant },
): Promise<ReadonlyMap<string, readonly CheckedItem[]>> {
  const [start, end] = [new Date(period.start), new Date(period.end)]
  const counted = (events: string) => sql`
    select e."tenantId" as tenant_id, e.license, count(*)::integer as calls
    from ${sql.table(events)} b cross join lateral json_to_recordset(b.events) as e
      ("tenantId" uuid, license text, "startedAt" bigint)
    where to_timestamp(e."startedAt" / 1000.0) >= ${start} and to_timestamp(e."startedAt" / 1000.0) < ${end}
    group by 1, 2`
  const { rows } = await sql<{
    tenant_id: Uuid
    license: string
    begins_at: Date
    closed: readonly Date[]
    open_reservations: number
    waiting_events: number
    refused_batches: number
    expired_calls: number
  }>`
    with waiting as (${counted('usage_batch')}), refused as (${counted('usage_batch_refused')})
    select l.tenant_id, l.license, b.begins_at,
      array(select p.period_start from billing_period p where p.tenant_id = l.tenant_id and p.license = l.license
        and p.state = 'closed' and p.period_start < ${start}) as closed,
      (select count(*)::integer from reservation r where r.tenant_id = l.tenant_id and r.facts ->> 'license' = l.license
        and r.started_at >= ${start} and r.started_at < ${end}) as open_reservations,
      coalesce(w.calls, 0) as waiting_events, coalesce(x.calls, 0) as refused_batches,
      (select count(*)::integer from usage_event e where e.tenant_id = l.tenant_id and e.license = l.license
        and e.started_at >= ${start} and e.started_at < ${end} and e.outcome = 'expired') as expired_calls
    from license l
    join lateral (
      select greatest(v.effective_at, v.term_start) as begins_at from license_revision v
      where v.tenant_id = l.tenant_id and v.license = l.license order by v.revision limit 1) b on true
    left join waiting w on w.tenant_id = l.tenant_id and w.license = l.license
    left join refused x on x.tenant_id = l.tenant_id and x.license = l.license
    where l.license = any(${licenses})`.execute(tx)
  const checklists = new Map<string, readonly CheckedItem[]>()
  for (const row of rows) {
    const { license } = row
    const closed = new Set(row.closed.map(instantOf))
    const first = monthOf(instantOf(row.begins_at))
    const checklist = checkPeriod(
      {
        openReservations: row.open_reservations,
        waitingEvents: row.waiting_events,
        refusedBatches: row.refused_batches,
        expiredCalls: row.expired_calls,
        period,
        now,
        earlierOpen: monthsFrom(first, period).filter((month) => !closed.has(month.start)),
        reconciled: await reconciledMonth(tx, { tenantId: row.tenant_id, license, period }),
      },
      new Map(),
    )
    checklists.set(license, checklist)
  }
  return checklists
}
