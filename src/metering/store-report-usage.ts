import { sql, type RawBuilder } from 'kysely'
import { picos, type Instant, type Picos } from '../kernel/index.ts'
import { planByValues, type Tx } from '../db/index.ts'

export interface UsageTotal {
  readonly tenant: string
  readonly application: string
  readonly model: string
  readonly version: string
  readonly calls: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly charge: Picos
  readonly currency: string
}

interface SumRow {
  readonly tenant: string
  readonly application: string
  readonly model: string
  readonly version: string
  readonly currency: string
  readonly calls: string
  readonly input_tokens: string
  readonly output_tokens: string
  readonly inferences: string
  readonly charge_picos: string
}

/**
 * The ledger's sums over [from, to) by tenant, license, facility, application, model, version and plan, as a query that
 * others select from: whole days and hours as they are added up already, and what is left of the first and the last hour
 * from its rows. Those are looked for tenant by tenant, because the ledger's key begins with the tenant.
 */
export function usageOver(period: { from: Instant; to: Instant }): RawBuilder<unknown> {
  const [from, to] = [sql`${new Date(period.from)}::timestamptz`, sql`${new Date(period.to)}::timestamptz`]
  const firstHour = sql`date_trunc('hour', ${from} + interval '1 hour' - interval '1 microsecond', 'UTC')`
  const lastHour = sql`date_trunc('hour', ${to}, 'UTC')`
  const firstDay = sql`date_trunc('day', ${from} + interval '1 day' - interval '1 microsecond', 'UTC')`
  const lastDay = sql`date_trunc('day', ${to}, 'UTC')`
  const sums = sql`license, facility, application, model, version, plan, plan_revision, currency, requests, input_tokens,
    output_tokens, inferences, charge_picos`
  const rowsFrom = (begin: RawBuilder<unknown>, end: RawBuilder<unknown>) => sql`
    select t.tenant_id, e.* from tenant t cross join lateral (
      select ${sums} from usage_event
      where tenant_id = t.tenant_id and started_at >= ${begin} and started_at < ${end}) e`
  const hoursFrom = (begin: RawBuilder<unknown>, end: RawBuilder<unknown>) =>
    sql`select tenant_id, ${sums} from usage_hour where hour >= ${begin} and hour < ${end}`
  return sql`(
    ${rowsFrom(from, sql`least(${firstHour}, ${to})`)}
    union all ${hoursFrom(firstHour, sql`least(${firstDay}, ${lastHour})`)}
    union all select tenant_id, ${sums} from usage_day
      where day >= (${firstDay} at time zone 'UTC')::date and day < (${lastDay} at time zone 'UTC')::date
    union all ${hoursFrom(sql`greatest(${firstDay}, ${lastDay})`, lastHour)}
    union all ${rowsFrom(sql`greatest(${firstHour}, ${lastHour})`, to)})`
}

/** Sums of the ledger over [from, to), of one tenant or of all. */
export async function reportUsage(
  tx: Tx,
  period: { from: Instant; to: Instant; tenant: string | undefined },
): Promise<readonly UsageTotal[]> {
  await planByValues(tx)
  const { rows } = await sql<SumRow>`
    select t.tenant, u.application, u.model, u.version, u.currency, sum(u.requests) as calls,
      sum(u.input_tokens) as input_tokens, sum(u.output_tokens) as output_tokens, sum(u.inferences) as inferences,
      sum(u.charge_picos) as charge_picos
    from ${usageOver(period)} u join tenant t using (tenant_id)
    where ${period.tenant ?? null}::text is null or t.tenant = ${period.tenant ?? null}
    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4`.execute(tx)
  return rows.map((row) => ({
    tenant: row.tenant,
    application: row.application,
    model: row.model,
    version: row.version,
    calls: BigInt(row.calls),
    inputTokens: BigInt(row.input_tokens),
    outputTokens: BigInt(row.output_tokens),
    inferences: BigInt(row.inferences),
    charge: picos(BigInt(row.charge_picos)),
    currency: row.currency,
  }))
}
