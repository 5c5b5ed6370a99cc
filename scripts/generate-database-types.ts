import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ColumnTypeNode, generate, IdentifierNode, PostgresDialect, UnionExpressionNode } from 'kysely-codegen'
import { migrateDatabase } from '../src/db/index.ts'
import { ensureDatabase } from '../src/platform/node/ensure-database.ts'
import { startPostgres } from '../src/platform/node/postgres.ts'
import { readMigrations } from '../src/platform/node/read-migrations.ts'

/** Kysely's types of the tables that the migrations make, read from a database that they made just now. */
export async function generateDatabaseTypes(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'formulary-generate-'))
  const postgres = await startPostgres({ dataDir, durable: false })
  try {
    const { ownerUrl } = await ensureDatabase({
      adminUrl: postgres.url,
      database: 'formulary',
      ownerPassword: randomBytes(16).toString('hex'),
      appPassword: randomBytes(16).toString('hex'),
    })
    await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
    return await describe(ownerUrl)
  } finally {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function describe(connectionString: string): Promise<string> {
  // Partitions carry the month in which they were made, and no query names them.
  const dialect = new PostgresDialect({ partitions: false })
  // As the pool of src/db reads them: int8 as bigint, numeric as text. A double never becomes money.
  Object.assign(dialect.adapter.definitions, {
    Int8: columnType('bigint', ['bigint', 'number']),
    Numeric: columnType('string', ['bigint', 'string']),
  })
  const db = await dialect.introspector.connect({ connectionString, dialect })
  try {
    const excludePattern = 'schema_migration*'
    return await generate({ db, dialect, excludePattern, camelCase: false, outFile: null })
  } finally {
    await db.destroy()
  }
}

function columnType(selected: string, written: readonly string[]): ColumnTypeNode {
  const writable = new UnionExpressionNode(written.map((name) => new IdentifierNode(name)))
  return new ColumnTypeNode(new IdentifierNode(selected), writable, writable)
}
