import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrateDatabase } from '../../src/db/index.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The superuser's, for what only the server's administrator may do. Tests of our code use `cloneDatabase()`. */
    postgresAdminUrl: string
    /** A migrated, empty database, to be copied and never connected to. */
    postgresTemplate: string
    postgresPasswords: { readonly ownerPassword: string; readonly appPassword: string }
  }
}

const TEMPLATE = 'formulary_template'

/** One PostgreSQL for the whole run, and in it the project's own migrations, applied once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'formulary-test-'))
  const postgres = await startPostgres({ dataDir, durable: false })
  const teardown = async () => {
    await postgres.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    const passwords = { ownerPassword: randomBytes(16).toString('hex'), appPassword: randomBytes(16).toString('hex') }
    const { ownerUrl } = await ensureDatabase({ adminUrl: postgres.url, database: TEMPLATE, ...passwords })
    await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
    project.provide('postgresAdminUrl', postgres.url)
    project.provide('postgresTemplate', TEMPLATE)
    project.provide('postgresPasswords', passwords)
  } catch (error) {
    // Vitest calls the teardown of a finished setup only.
    await teardown()
    throw error
  }
  return teardown
}
