import { systemStatement, type Database } from '../../db/index.ts'
import type { Log } from '../../kernel/index.ts'
import { postgresLimiter, rateStore, type RateStore } from '../../quota/index.ts'

/** Windows counted in Postgres: each statement in a transaction of the system's scope, as the pooler needs it. */
export const workersRates = (database: Database, log: Log): RateStore =>
  rateStore(postgresLimiter({ query: (statement: Statement) => count(database, statement) }), (failure) =>
    log.warn('rates.alone', { why: failure.message }),
  )

interface Statement {
  readonly name: string
  readonly text: string
  readonly values: unknown[]
}

async function count(database: Database, statement: Statement) {
  const rows = await systemStatement(database, 'count-rates', statement)
  return { rows: rows.map(withoutBigints), rowCount: rows.length }
}

/** rate-limiter-flexible counts in doubles and reads its int8 column as text. */
const withoutBigints = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  )
