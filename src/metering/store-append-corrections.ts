import { sql } from 'kysely'
import type { Picos, Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'

/** Where a row of the ledger stands. */
export interface LedgerKey {
  readonly tenantId: Uuid
  /** With its microseconds. */
  readonly startedAt: string
  readonly requestId: Uuid
  readonly attempt: number
}

/** What a row should have said. */
export interface RightAmounts {
  readonly model: string
  readonly version: string
  readonly requests: number
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly charge: Picos
}

/** Takes a row back, and says what is right where there is something right to say. */
export interface Correction {
  readonly of: LedgerKey
  readonly right: RightAmounts | undefined
}

/** Attempts of a call count from one and are few; rows of corrections count from here. */
const firstCorrection = 1000

/**
 * Corrects rows of the ledger by adding to it: for each the opposite of its amounts, under its own outcome, and a row
 * `corrected` with the right ones, both pointing at it. So every sum over the ledger, by whatever it groups, is right
 * afterwards, and what was said before is still there to be read. In a month that is frozen they are late rows.
 */
export async function appendCorrections(tx: Tx, corrections: readonly Correction[]): Promise<readonly LedgerKey[]> {
  const keys: LedgerKey[] = []
  for (const { of, right } of corrections) {
    keys.push(await appendRow(tx, of, opposite))
    if (right !== undefined) keys.push(await appendRow(tx, of, corrected(right)))
  }
  return keys
}

interface Amended {
  readonly outcome: ReturnType<typeof sql>
  readonly source: ReturnType<typeof sql>
  readonly model: ReturnType<typeof sql>
  readonly version: ReturnType<typeof sql>
  readonly amounts: ReturnType<typeof sql>
}

const opposite: Amended = {
  outcome: sql`outcome`,
  source: sql`usage_source`,
  model: sql`model`,
  version: sql`version`,
  amounts: sql`-requests, -input_tokens, -output_tokens, -inferences, -charge_picos`,
}

const corrected = (right: RightAmounts): Amended => ({
  outcome: sql`'corrected'`,
  source: sql`'host'`,
  model: sql`${right.model}`,
  version: sql`${right.version}`,
  amounts: sql`${right.requests}::smallint, ${right.inputTokens}::bigint, ${right.outputTokens}::bigint,
    ${right.inferences}::bigint, ${right.charge}::bigint`,
})

async function appendRow(tx: Tx, of: LedgerKey, amended: Amended): Promise<LedgerKey> {
  const startedAt = sql`${of.startedAt}::timestamptz`
  const { rows } = await sql<{ attempt: number }>`
    insert into usage_event (tenant_id, request_id, attempt, started_at, operation, streamed, outcome, host_status,
      first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
      deployment, region, requests, input_tokens, output_tokens, inferences, charge_picos, usage_source, plan, plan_revision,
      currency, policy, instance_id, ends_call, corrects_attempt)
    select tenant_id, request_id, (select greatest(max(attempt) + 1, ${firstCorrection}) from usage_event
        where tenant_id = ${of.tenantId} and started_at = ${startedAt} and request_id = ${of.requestId}),
      started_at, operation, streamed, ${amended.outcome}, host_status, first_byte_ms, duration_ms, license, license_revision,
      facility, application, key_id, audience, purpose, ${amended.model}, ${amended.version}, deployment, region,
      ${amended.amounts}, ${amended.source}, plan, plan_revision, currency, policy, instance_id, false, attempt
    from usage_event
    where tenant_id = ${of.tenantId} and started_at = ${startedAt} and request_id = ${of.requestId}
      and attempt = ${of.attempt}
    returning attempt`.execute(tx)
  const [row] = rows
  if (row === undefined) throw new Error(`the ledger has no attempt ${of.attempt} of ${of.requestId}`)
  return { ...of, attempt: row.attempt }
}
