import { sql } from 'kysely'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Phase } from './charge-units.ts'
import type { DayUse } from './focus/charge-days.ts'
import type { Month, Period } from './month.ts'

/**
 * The days of a month that a closing counts, summed by the database from the rows that are frozen: `own`, those of the month
 * that were there; `late`, those of earlier months that came after those were. Of a month that is open, those there are now.
 */
export async function loadDayUse(
  tx: Tx,
  of: Month & { which: 'own' | 'late'; isClosed: boolean },
): Promise<readonly DayUse[]> {
  const [start, end] = [new Date(of.period.start), new Date(of.period.end)]
  const noted = sql`select from usage_late l where l.tenant_id = e.tenant_id and l.started_at = e.started_at
    and l.request_id = e.request_id and l.attempt = e.attempt`
  // What an open month counts has not been written down yet: a late row that no month has counted counts in it.
  const countedHere = of.isClosed
    ? sql`l.counted_in = ${start}`
    : sql`(l.counted_in = ${start} or l.counted_in is null)`
  const counted =
    of.which === 'own'
      ? sql`e.started_at >= ${start} and e.started_at < ${end} and not exists (${noted} and not coalesce(${countedHere}, false))`
      : sql`e.started_at < ${start} and exists (${noted} and l.period_start < ${start} and ${countedHere})`
  const { rows } = await sql<{
    day: Date
    facility: string
    region: string
    model: string
    license_revision: number
    plan: string
    plan_revision: number
    phase: Phase
    requests: string
    input_tokens: string
    output_tokens: string
    inferences: string
  }>`
    select date_trunc('day', e.started_at, 'UTC') as day, e.facility, e.region, e.model, e.license_revision, e.plan,
      e.plan_revision, case when r.evaluation then 'evaluation' when e.started_at < r.term_end then 'term' else 'grace'
      end as phase, sum(e.requests)::text as requests, sum(e.input_tokens)::text as input_tokens,
      sum(e.output_tokens)::text as output_tokens, sum(e.inferences)::text as inferences
    from usage_event e
    join license_revision r on r.tenant_id = e.tenant_id and r.license = e.license and r.revision = e.license_revision
    where e.tenant_id = ${of.tenantId} and e.license = ${of.license} and e.outcome <> 'expired' and ${counted}
    group by 1, 2, 3, 4, 5, 6, 7, 8
    order by 1, 2, 3, 4, 5, 6, 7, 8`.execute(tx)
  return rows.map((row) => ({
    day: instantOf(row.day),
    facility: row.facility,
    region: row.region,
    model: row.model,
    licenseRevision: row.license_revision,
    plan: row.plan,
    planRevision: row.plan_revision,
    phase: row.phase,
    units: {
      requests: BigInt(row.requests),
      input_tokens: BigInt(row.input_tokens),
      output_tokens: BigInt(row.output_tokens),
      inferences: BigInt(row.inferences),
    },
  }))
}

export interface BilledLicense {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly tenantName: string
  readonly license: string
}

/** The licenses of one tenant, or one of them, or all, by their numbers. */
export async function loadBilledLicenses(
  tx: Tx,
  of: { tenant?: string | undefined; license?: string | undefined },
): Promise<readonly BilledLicense[]> {
  const rows = await tx
    .selectFrom('license as l')
    .innerJoin('tenant as t', 't.tenant_id', 'l.tenant_id')
    .select(['l.tenant_id', 'l.license', 't.tenant', 't.name'])
    .$if(of.tenant !== undefined, (query) => query.where('t.tenant', '=', of.tenant ?? ''))
    .$if(of.license !== undefined, (query) => query.where('l.license', '=', of.license ?? ''))
    .orderBy('l.license')
    .execute()
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    tenant: row.tenant,
    tenantName: row.name,
    license: row.license,
  }))
}

export interface BilledDocument {
  readonly number: string
  readonly closing: number
  readonly document: string
}

/**
 * The documents of a license that a month bills: the invoices of the month, of every time it was closed, and the credit
 * notes that were issued in it, whatever month they take back. In the order in which they were issued.
 */
export async function loadBilledDocuments(
  tx: Tx,
  of: { tenantId: Uuid; license: string; period: Period },
): Promise<readonly BilledDocument[]> {
  const [start, end] = [new Date(of.period.start), new Date(of.period.end)]
  return tx
    .selectFrom('invoice')
    .select(['number', 'closing', 'document'])
    .where('tenant_id', '=', of.tenantId)
    .where('license', '=', of.license)
    .where((eb) =>
      eb.or([
        eb.and([eb('series', '=', 'INV'), eb('period_start', '=', start)]),
        eb.and([eb('series', '=', 'CRN'), eb('issued_at', '>=', start), eb('issued_at', '<', end)]),
      ]),
    )
    .orderBy('issued_at')
    .orderBy('number')
    .execute()
}

export async function loadModelFacts(
  tx: Tx,
): Promise<ReadonlyMap<string, { readonly title: string; readonly protocol: string }>> {
  const rows = await tx.selectFrom('model').select(['model', 'title', 'protocol']).execute()
  return new Map(rows.map(({ model, title, protocol }) => [model, { title, protocol }]))
}

/** When anybody last closed or reopened a month, of the licenses that the transaction sees or of one tenant's. */
export async function loadPeriodMoves(
  tx: Tx,
  of: { period: Period; tenant: string | undefined; license: string | undefined },
): Promise<{ readonly states: ReadonlyMap<string, string>; readonly lastMovedAt: Instant | undefined }> {
  const start = new Date(of.period.start)
  const periods = await tx
    .selectFrom('billing_period as p')
    .innerJoin('tenant as t', 't.tenant_id', 'p.tenant_id')
    .select(['p.license', 'p.state'])
    .where('p.period_start', '=', start)
    .$if(of.tenant !== undefined, (query) => query.where('t.tenant', '=', of.tenant ?? ''))
    .$if(of.license !== undefined, (query) => query.where('p.license', '=', of.license ?? ''))
    .execute()
  const { rows } = await sql<{ moved: Date | null }>`
    select max(m.at) as moved from (
      select tenant_id, license, closed_at as at from period_closing where period_start = ${start}
      union all
      select tenant_id, license, reopened_at from period_reopening where period_start = ${start}) m
    join tenant t on t.tenant_id = m.tenant_id
    where (${of.tenant ?? null}::text is null or t.tenant = ${of.tenant ?? null})
      and (${of.license ?? null}::text is null or m.license = ${of.license ?? null})`.execute(tx)
  const moved = rows[0]?.moved ?? null
  return {
    states: new Map(periods.map(({ license, state }) => [license, state])),
    lastMovedAt: moved === null ? undefined : instantOf(moved),
  }
}
