import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'

export interface Migration {
  /** The file's name without its ending, such as `0001_tenant_scope`. */
  readonly name: string
  readonly sql: string
}

/**
 * Brings the database forward, as its owner; never back. All pending migrations are one transaction under a lock, so
 * that two processes that start together do not collide.
 * @returns the names that were applied now.
 */
export async function migrateDatabase(options: {
  ownerUrl: string
  migrations: readonly Migration[]
}): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString: options.ownerUrl, max: 2, connectionTimeoutMillis: 10_000 })
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
      const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'unknown'
      throw new Error(`migration ${failed} failed: ${error instanceof Error ? error.message : 'unknown error'}`, {
        cause: error,
      })
    }
    return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
  } finally {
    await kysely.destroy()
  }
}
