import { systemTransaction, type Database } from '../../src/db/index.ts'
import { untilUnfolded } from '../../src/metering/index.ts'
import { until } from '../support/ledger.ts'

/** What the ledger says of one attempt of a call. */
export interface CallRow {
  readonly attempt: number
  readonly outcome: string
  readonly hostStatus: number | null
  readonly deployment: string
  readonly usageSource: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly charge: bigint
}

/** The rows of one call, by the id that its caller was given, in the order of its attempts. */
export async function rowsOfCall(database: Database, requestId: string): Promise<readonly CallRow[]> {
  await untilUnfolded(database)
  return systemTransaction(database, 'maintain', async (tx) => {
    const hex = requestId.slice('req_'.length)
    const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    const rows = await tx
      .selectFrom('usage_event')
      .selectAll()
      .where('request_id', '=', uuid)
      .orderBy('attempt')
      .execute()
    return rows.map((row) => ({
      attempt: row.attempt,
      outcome: row.outcome,
      hostStatus: row.host_status,
      deployment: row.deployment,
      usageSource: row.usage_source,
      requests: row.requests,
      inputTokens: Number(row.input_tokens),
      outputTokens: Number(row.output_tokens),
      charge: row.charge_picos,
    }))
  })
}

/** The same, waiting for what is written beside the answer: attempts that failed, calls whose caller left. */
export async function awaitRowsOfCall(database: Database, requestId: string, count = 1): Promise<readonly CallRow[]> {
  let rows: readonly CallRow[] = []
  await until(`${count} rows of ${requestId}`, 5_000, async () => {
    rows = await rowsOfCall(database, requestId)
    return rows.length >= count
  })
  return rows
}
