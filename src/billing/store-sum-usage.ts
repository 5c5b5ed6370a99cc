import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { LateUse } from './basis.ts'
import { phases } from './charge-units.ts'
import type { Month } from './month.ts'
import type { UsageQuantity } from './rate-period.ts'
import { quantityKey } from './sum-usage.ts'

interface SumRow {
  readonly month: Date
  readonly license_revision: number
  readonly plan: string
  readonly plan_revision: number
  readonly phase: string
  readonly facility: string
  readonly model: string
  readonly requests: string
  readonly input_tokens: string
  readonly output_tokens: string
  readonly inferences: string
  readonly charge_picos: string
}
const Phase = z.enum(phases)

/**
 * What a month that is not closed would be rated from if it were closed now, in one statement: its own rows, and with
 * `withLate` those of earlier months that came late and that no month has counted. A closing reads the rows themselves,
 * because it hashes them; the sums are the same.
 */
export async function sumUsage(
  tx: Tx,
  of: Month & { readonly withLate: boolean },
): Promise<{ readonly usage: readonly UsageQuantity[]; readonly late: readonly LateUse[] }> {
  const [start, end] = [new Date(of.period.start), new Date(of.period.end)]
  const rowsOf = (among: ReturnType<typeof sql>) => sql`
    select date_trunc('month', e.started_at, 'UTC') as month, e.license_revision, e.plan, e.plan_revision, case
        when r.evaluation then 'evaluation' when e.started_at < r.term_end then 'term' else 'grace' end as phase,
      e.facility, e.model, sum(e.requests) as requests, sum(e.input_tokens) as input_tokens,
      sum(e.output_tokens) as output_tokens, sum(e.inferences) as inferences, sum(e.charge_picos) as charge_picos
    from usage_event e
    join license_revision r on r.tenant_id = e.tenant_id and r.license = e.license and r.revision = e.license_revision
    where e.tenant_id = ${of.tenantId} and e.license = ${of.license} and e.outcome <> 'expired' and ${among}
    group by 1, 2, 3, 4, 5, 6, 7`
  const own = await sql<SumRow>`${rowsOf(sql`e.started_at >= ${start} and e.started_at < ${end} and not exists (
    select from usage_late l where l.tenant_id = e.tenant_id and l.started_at = e.started_at
      and l.request_id = e.request_id and l.attempt = e.attempt and coalesce(l.counted_in, ${start}) <> ${start})`)}`.execute(
    tx,
  )
  if (!of.withLate) return { usage: quantitiesOf(own.rows), late: [] }
  const late = await sql<SumRow>`${rowsOf(sql`(e.started_at, e.request_id, e.attempt) in (
    select l.started_at, l.request_id, l.attempt from usage_late l where l.tenant_id = ${of.tenantId}
      and l.license = ${of.license} and coalesce(l.counted_in, ${start}) = ${start} and l.period_start < ${start})`)}`.execute(
    tx,
  )
  return {
    usage: quantitiesOf(own.rows),
    late: [...Map.groupBy(late.rows, ({ month }) => instantOf(month))]
      .toSorted(([a], [b]) => a - b)
      .map(([periodStart, rows]) => ({ periodStart, usage: quantitiesOf(rows) })),
  }
}

const quantitiesOf = (rows: readonly SumRow[]): readonly UsageQuantity[] =>
  rows
    .map((row) => ({
      licenseRevision: row.license_revision,
      plan: row.plan,
      planRevision: row.plan_revision,
      phase: Phase.parse(row.phase),
      facility: row.facility,
      model: row.model,
      units: {
        input_tokens: BigInt(row.input_tokens),
        output_tokens: BigInt(row.output_tokens),
        requests: BigInt(row.requests),
        inferences: BigInt(row.inferences),
      },
      listed: picos(BigInt(row.charge_picos)),
    }))
    .toSorted((a, b) => (quantityKey(a) < quantityKey(b) ? -1 : 1))
