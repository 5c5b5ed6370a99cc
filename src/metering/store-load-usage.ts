import { sql } from 'kysely'
import { instantOf, picos, type Instant, type Picos, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** A ledger row as its tenant reads it. */
export interface UsageRow {
  readonly requestId: Uuid
  readonly attempt: number
  readonly startedAt: Instant
  readonly operation: string
  readonly outcome: string
  readonly license: string
  readonly facility: string
  readonly application: string
  readonly purpose: string
  readonly model: string
  readonly version: string
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly usageSource: string
  readonly charge: Picos
  readonly currency: string
}

/** Where a page begins: after this row. */
export interface UsageCursor {
  readonly startedAt: Instant
  readonly requestId: Uuid
  readonly attempt: number
}

/** The tenant's own rows in [from, to), oldest first, at most `rowsMax` of them. Row-level security says whose. */
export async function loadUsage(
  tx: Tx,
  page: { from: Instant; to: Instant; after: UsageCursor | undefined; rowsMax: number },
): Promise<readonly UsageRow[]> {
  const rows = await tx
    .selectFrom('usage_event')
    .select([
      'request_id',
      'attempt',
      'started_at',
      'operation',
      'outcome',
      'license',
      'facility',
      'application',
      'purpose',
      'model',
      'version',
      'input_tokens',
      'output_tokens',
      'inferences',
      'usage_source',
      'charge_picos',
      'currency',
    ])
    .where('tenant_id', '=', sql<string>`current_setting('app.tenant_id')::uuid`)
    .where('started_at', '>=', new Date(page.from))
    .where('started_at', '<', new Date(page.to))
    .$if(page.after !== undefined, (query) => {
      const { startedAt, requestId, attempt } = page.after ?? { startedAt: 0, requestId: '', attempt: 0 }
      return query.where(
        sql<boolean>`(started_at, request_id, attempt) > (${new Date(startedAt)}, ${requestId}::uuid, ${attempt}::smallint)`,
      )
    })
    .orderBy('started_at')
    .orderBy('request_id')
    .orderBy('attempt')
    .limit(page.rowsMax)
    .execute()
  return rows.map((row) => ({
    requestId: row.request_id,
    attempt: row.attempt,
    startedAt: instantOf(row.started_at),
    operation: row.operation,
    outcome: row.outcome,
    license: row.license,
    facility: row.facility,
    application: row.application,
    purpose: row.purpose,
    model: row.model,
    version: row.version,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    inferences: row.inferences,
    usageSource: row.usage_source,
    charge: picos(row.charge_picos),
    currency: row.currency,
  }))
}
