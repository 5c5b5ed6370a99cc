import { sql } from 'kysely'
import { instant, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Period } from './month.ts'
import type { UsageRecord } from './usage-export.ts'

/** Rows of one round trip. A month may have millions of them; no more than this stand in memory. */
const pageRowsMax = 10_000

export interface FrozenRow extends UsageRecord {
  /** The beginning of the month that the row is of. */
  readonly month: Instant
}

/**
 * The rows of the ledger that a month's closing counts, page by page in the order of their key: `own`, those of the month
 * that were there when it was frozen; `late`, those of earlier months that came after those were. What a transaction reads
 * here is the same for ever: rows are only added, and what is added to a frozen month is late.
 */
export async function* readFrozen(
  tx: Tx,
  of: { tenantId: Uuid; license: string; period: Period; which: 'own' | 'late' },
): AsyncGenerator<readonly FrozenRow[], void, undefined> {
  const [start, end] = [new Date(of.period.start), new Date(of.period.end)]
  const cursor = sql.raw(`frozen_${of.which}`)
  const counted =
    of.which === 'own'
      ? sql`e.started_at >= ${start} and e.started_at < ${end} and not exists (
          select from usage_late l where l.tenant_id = e.tenant_id and l.started_at = e.started_at
            and l.request_id = e.request_id and l.attempt = e.attempt and l.counted_in is distinct from ${start})`
      : sql`(e.started_at, e.request_id, e.attempt) in (
          select l.started_at, l.request_id, l.attempt from usage_late l
          where l.tenant_id = ${of.tenantId} and l.license = ${of.license} and l.counted_in = ${start}
            and l.period_start < ${start})`
  await sql`
    declare ${cursor} no scroll cursor for
    select to_char(e.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
      e.request_id::text as request_id, e.attempt::text as attempt, e.operation, e.outcome, e.license,
      e.license_revision::text as license_revision, e.facility, e.application, e.audience, e.purpose, e.model, e.version,
      e.requests::text as requests, e.input_tokens::text as input_tokens, e.output_tokens::text as output_tokens,
      e.inferences::text as inferences, e.usage_source, e.plan, e.plan_revision::text as plan_revision,
      e.currency::text as currency, e.charge_picos::text as charge_picos
    from usage_event e
    where e.tenant_id = ${of.tenantId} and e.license = ${of.license} and ${counted}
    order by e.started_at, e.request_id, e.attempt`.execute(tx)
  for (;;) {
    const { rows } = await sql<UsageRecord>`fetch ${sql.raw(String(pageRowsMax))} from ${cursor}`.execute(tx)
    if (rows.length > 0) yield rows.map((row) => ({ ...row, month: monthStart(row.started_at) }))
    if (rows.length < pageRowsMax) break
  }
  await sql`close ${cursor}`.execute(tx)
}

const monthStart = (text: string): Instant => instant(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1))
