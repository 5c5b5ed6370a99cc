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

/** Sums of the ledger over [from, to), of one tenant or of all. */
export async function reportUsage(
  tx: Tx,
  period: { from: Instant; to: Instant; tenant: string | undefined },
): Promise<readonly UsageTotal[]> {
  const rows = await tx
    .selectFrom('usage_event as e')
    .innerJoin('tenant as t', 't.tenant_id', 'e.tenant_id')
    .select([
      't.tenant',
      'e.application',
      'e.model',
      'e.version',
      'e.currency',
      sql<string>`sum(e.requests)`.as('calls'),
      sql<string>`sum(e.input_tokens)`.as('input_tokens'),
      sql<string>`sum(e.output_tokens)`.as('output_tokens'),
      sql<string>`sum(e.inferences)`.as('inferences'),
      sql<string>`sum(e.charge_picos)`.as('charge_picos'),
    ])
    .where('e.started_at', '>=', new Date(period.from))
    .where('e.started_at', '<', new Date(period.to))
    .$if(period.tenant !== undefined, (query) => query.where('t.tenant', '=', period.tenant ?? ''))
    .groupBy(['t.tenant', 'e.application', 'e.model', 'e.version', 'e.currency'])
    .orderBy('t.tenant')
    .orderBy('e.application')
    .orderBy('e.model')
    .orderBy('e.version')
    .execute()
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
