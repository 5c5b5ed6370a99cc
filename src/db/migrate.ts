import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { Failure } from '../kernel/index.ts'
import { asFailure } from './constraint.ts'

export interface Migration {
  /** The file's name without its ending, such as `0001_tenant_scope`. */
  readonly name: string
  readonly sql: string
}

/**
 * Brings the database forward, as its owner; never back. All pending migrations are one transaction under a lock, so
 * that two processes that start together do not collide.
 * @returns the names that were applied now.
 * @throws Failure when the database cannot be reached or refuses a migration.
 */
export async function migrateDatabase(options: {
  ownerUrl: string
  migrations: readonly Migration[]
}): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString: options.ownerUrl, max: 2, connectionTimeoutMillis: 10_000 })
  // A connection that breaks while the pool is being closed has nobody left who waits for it.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrator = new Migrator({
      db: kysely,
      migrationTableName: 'schema_migration',
      migrationLockTableName: 'schema_migration_lock',
      provider: {
        getMigrations: async () =>
          Object.fromEntries(
            options.migrations.map(({ name, sql: text }) => [
              name,
              { up: async (db: Kysely<unknown>) => void (await sql.raw(text).execute(db)) },
            ]),
          ),
      },
    })
    const { error, results } = await migrator.migrateToLatest()
    if (error !== undefined) {
      const failed = results?.find((result) => result.status === 'Error')?.migrationName
      const what = failed === undefined ? 'the schema cannot be brought forward' : `migration ${failed} failed`
      const why = error instanceof Error ? error.message : 'unknown error'
      throw await asFailure(() => Promise.reject(error)).catch((cause: unknown) =>
        cause instanceof Failure ? cause : new Failure('database', `${what}: ${why}`, { retryable: false, cause }),
      )
    }
    return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
  } finally {
    await kysely.destroy()
  }
}
