import { sql } from 'kysely'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { untilUnfolded } from '../../src/metering/index.ts'

export interface LedgerRow {
  readonly requestId: string
  readonly attempt: number
  readonly outcome: string
  readonly usageSource: string
  readonly tokens: bigint
  readonly charge: bigint
  readonly requests: number
  /** The ids of the policies that permitted the call. */
  readonly policy: readonly string[] | null
}

/** Every row of the ledger, of all tenants. */
export async function readLedger(database: Database): Promise<readonly LedgerRow[]> {
  await untilUnfolded(database)
  return systemTransaction(database, 'maintain', async (tx) => {
    const rows = await tx.selectFrom('usage_event').selectAll().execute()
    return rows.map((row) => ({
      requestId: `req_${row.request_id.replaceAll('-', '')}`,
      attempt: row.attempt,
      outcome: row.outcome,
      usageSource: row.usage_source,
      tokens: row.input_tokens + row.output_tokens,
      charge: row.charge_picos,
      requests: row.requests,
      policy: row.policy,
    }))
  })
}

export interface BudgetTotals {
  /** Settled, inside leases or not. */
  readonly used: bigint
  /** Lent and not used: what calls in flight or idle instances hold. */
  readonly held: bigint
}

/** What is used and held of a budget, over all its periods and tenants. */
export async function readBudget(database: Database, budget: string): Promise<BudgetTotals> {
  await untilUnfolded(database)
  return systemTransaction(database, 'maintain', async (tx) => {
    const { rows } = await sql<{ settled: string; leased: string; used: string }>`
      select coalesce(sum(settled), 0) as settled, coalesce(sum(leased), 0) as leased,
        (select coalesce(sum(used), 0) from budget_lease where budget = ${budget}) as used
      from budget_account where budget = ${budget}`.execute(tx)
    const [row] = rows
    const [settled, leased, used] = [BigInt(row?.settled ?? 0), BigInt(row?.leased ?? 0), BigInt(row?.used ?? 0)]
    return { used: settled + used, held: leased - used }
  })
}

/** Calls that the database takes to be in flight. */
export async function countOpenCalls(database: Database): Promise<number> {
  await untilUnfolded(database)
  return systemTransaction(database, 'maintain', async (tx) => {
    const row = await tx
      .selectFrom('reservation')
      .select((of) => of.fn.countAll<string>().as('open'))
      .executeTakeFirstOrThrow()
    return Number(row.open)
  })
}

/** Waits until a condition holds, looking every few milliseconds. @throws when it does not within the time. */
export async function until(what: string, withinMs: number, holds: () => Promise<boolean> | boolean): Promise<number> {
  const began = performance.now()
  for (;;) {
    if (await holds()) return performance.now() - began
    if (performance.now() - began > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
