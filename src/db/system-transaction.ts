import type pg from 'pg'
import { CompiledQuery, sql, type Transaction } from 'kysely'
import type { Database, Tx } from './database.ts'
import { asFailure } from './constraint.ts'
import type { DB } from './schema.ts'

/** Why the gateway looks over more than one tenant. A new reason is written here, where it is seen. */
export type SystemPurpose =
  | 'read-directory'
  | 'apply-declarations'
  | 'administer'
  | 'bill'
  | 'lend-budget'
  | 'count-rates'
  | 'commit-usage'
  | 'sweep-instances'
  | 'maintain'
  | 'audit'
  | 'remember-assertion'
  | 'sync-billing'

/** Runs `work` in one transaction over all tenants. Never with a caller's input as its scope. */
export async function systemTransaction<T>(
  database: Database,
  _purpose: SystemPurpose,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  return asFailure(() => database.systemKysely.transaction().execute(inSystem(work)))
}

/**
 * The same, and whatever it reads is of one moment: for work that adds the same rows up twice and holds the sums together.
 * @throws Failure, retryable, when somebody has changed meanwhile what it changes itself.
 */
export async function systemSnapshot<T>(
  database: Database,
  _purpose: SystemPurpose,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const snapshot = database.systemKysely.transaction().setIsolationLevel('repeatable read')
  return asFailure(() => snapshot.execute(inSystem(work)))
}

const inSystem =
  <T>(work: (tx: Tx) => Promise<T>) =>
  async (transaction: Transaction<DB>): Promise<T> => {
    // On a connection of the system pool it is on already; a pooler in between may have lost it.
    await sql`select set_config('app.system', 'on', true)`.execute(transaction)
    return work(transaction as Tx)
  }

/** Calls wait for these statements; a database that takes longer is away. */
const statementPatienceMs = 5_000

/**
 * A system transaction of exactly one statement: one round trip, planned once per connection. For the two statements
 * that calls wait for, the lending of budgets and the group commit. Behind a pooler the connection has no scope of its
 * own, and the statement gets a transaction that has.
 */
export async function systemStatement<Row extends pg.QueryResultRow>(
  database: Database,
  purpose: SystemPurpose,
  statement: { name: string; text: string; values: unknown[] },
): Promise<readonly Row[]> {
  if (database.isBehindPooler)
    return systemTransaction(database, purpose, async (tx) => {
      const { rows } = await tx.executeQuery<Row>(CompiledQuery.raw(statement.text, statement.values))
      return rows
    })
  // The server's own limit does not help against a server that has stopped, or a network that has.
  const query = { ...statement, query_timeout: statementPatienceMs }
  return asFailure(async () => (await database.systemPool.query<Row>(query)).rows)
}
