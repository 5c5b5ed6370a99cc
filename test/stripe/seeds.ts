// Many seeds: `npm run stripe:seeds -- 10000 [first seed]`. Ends with status 1 when one differs from the run without faults.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrateDatabase, openDatabase } from '../../src/db/index.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { compareSeed } from './compare-seed.ts'

const count = Number(process.argv[2] ?? 100)
const first = Number(process.argv[3] ?? 1)
const dataDir = mkdtempSync(join(tmpdir(), 'formulary-seeds-'))
const postgres = await startPostgres({ dataDir, durable: false })
try {
  const passwords = { ownerPassword: randomBytes(16).toString('hex'), appPassword: randomBytes(16).toString('hex') }
  const { ownerUrl, appUrl } = await ensureDatabase({ adminUrl: postgres.url, database: 'seeds', ...passwords })
  await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 1 })
  const database = openDatabase({
    url: appUrl,
    applicationName: 'seeds',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 4,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 30_000,
  })
  const began = performance.now()
  const totals = { seeds: 0, crashes: 0, faults: 0, different: 0 }
  for (let seed = first; seed < first + count; seed++) {
    const compared = await compareSeed(database, owner, seed)
    totals.seeds++
    totals.crashes += compared.crashes
    totals.faults += compared.faults
    if (compared.isEqual) continue
    totals.different++
    process.stdout.write(`${compared.told}\n`)
    process.exitCode = 1
  }
  process.stdout.write(`${JSON.stringify(totals)} in ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
  await owner.end()
  await database.close()
} finally {
  await postgres.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
