import { sql } from 'kysely'
import { picos, type Instant, type Picos } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

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

/**
 * Sums of the ledger over [from, to), of one tenant or of all: whole hours as they are added up already, and what is left
 * of the first and the last hour from its rows.
 */
export async function reportUsage(
  tx: Tx,
  period: { from: Instant; to: Instant; tenant: string | undefined },
): Promise<readonly UsageTotal[]> {
  const [from, to] = [new Date(period.from), new Date(period.to)]
  const { rows } = await sql<{
    tenant: string
    application: string
    model: string
    version: string
    currency: string
    calls: string
    input_tokens: string
    output_tokens: string
    inferences: string
    charge_picos: string
  }>`
    with hours as (
      select date_trunc('hour', ${from}::timestamptz + interval '1 hour' - interval '1 microsecond', 'UTC') as first,
        date_trunc('hour', ${to}::timestamptz, 'UTC') as last),
    used as (
      select tenant_id, application, model, version, currency, requests, input_tokens, output_tokens, inferences,
        charge_picos
      from usage_hour, hours where hour >= first and hour < last
      union all
      select tenant_id, application, model, version, currency, requests, input_tokens, output_tokens, inferences,
        charge_picos
      from usage_event, hours
      where started_at >= ${from} and started_at < least(first, ${to}::timestamptz)
      union all
      select tenant_id, application, model, version, currency, requests, input_tokens, output_tokens, inferences,
        charge_picos
      from usage_event, hours
      where first <= last and started_at >= last and started_at < ${to})
    select t.tenant, u.application, u.model, u.version, u.currency, sum(u.requests) as calls,
      sum(u.input_tokens) as input_tokens, sum(u.output_tokens) as output_tokens, sum(u.inferences) as inferences,
      sum(u.charge_picos) as charge_picos
    from used u join tenant t using (tenant_id)
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
