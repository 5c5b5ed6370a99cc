// Many seeds: `npm run stripe:seeds -- 10000 [first seed]`. Ends with status 1 when one differs from the run without faults.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrateDatabase } from '../../src/db/index.ts'
import { cloneTemplate, ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { compareSeed, runCalm, seedsPerWorld, type Compared } from './compare-seed.ts'
import { openLane, type Lane } from './lane.ts'

const count = Number(process.argv[2] ?? 100)
const first = Number(process.argv[3] ?? 0)
/** Each a database of its own on one server. The SDK waits half a second after a closed connection: others work then. */
const lanesMax = Number(process.env['LANES'] ?? 12)
const secondsMax = Number(process.env['SECONDS'] ?? Number.POSITIVE_INFINITY)

const dataDir = mkdtempSync(join(tmpdir(), 'formulary-seeds-'))
const postgres = await startPostgres({ dataDir, durable: false })
const lanes: Lane[] = []
const began = performance.now()
const seconds = () => (performance.now() - began) / 1000
const totals = { seeds: 0, crashes: 0, faults: 0, deliveries: 0, different: 0 }
let nextWorld = Math.floor(first / seedsPerWorld)

/** A lane takes a world, runs it without faults, and then with those of each of its seeds. */
async function work(lane: Lane): Promise<void> {
  while (nextWorld * seedsPerWorld < first + count && seconds() < secondsMax) {
    const world = nextWorld++
    const calm = await runCalm(lane, world)
    for (let at = 0; at < seedsPerWorld && seconds() < secondsMax; at++) {
      const seed = world * seedsPerWorld + at
      if (seed >= first && seed < first + count) note(await compareSeed(lane, { world, seed, calm }))
    }
  }
}

function note(compared: Compared): void {
  totals.seeds++
  totals.crashes += compared.crashes
  totals.faults += compared.faults
  totals.deliveries += compared.deliveries
  if (totals.seeds % 100 === 0) process.stderr.write(`${JSON.stringify(totals)} in ${seconds().toFixed(1)} s\n`)
  if (compared.different.length === 0) return
  totals.different++
  process.stdout.write(`${compared.told}\n`)
  process.exitCode = 1
}

try {
  const passwords = { ownerPassword: randomBytes(16).toString('hex'), appPassword: randomBytes(16).toString('hex') }
  const { ownerUrl } = await ensureDatabase({ adminUrl: postgres.url, database: 'seeds', ...passwords })
  await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
  for (let lane = 0; lane < Math.min(lanesMax, count); lane++) {
    const database = `seeds_${lane}`
    const { appUrl } = await cloneTemplate({ adminUrl: postgres.url, database, template: 'seeds', ...passwords })
    const superuserUrl = new URL(postgres.url)
    superuserUrl.pathname = `/${database}`
    lanes.push(await openLane({ appUrl, superuserUrl: superuserUrl.href }))
  }
  const ended = await Promise.allSettled(lanes.map(work))
  for (const one of ended)
    if (one.status === 'rejected') {
      process.stdout.write(`${String(one.reason)}\n`)
      process.exitCode = 1
    }
  process.stdout.write(`${JSON.stringify(totals)} in ${seconds().toFixed(1)} s\n`)
} finally {
  for (const lane of lanes) await lane.close()
  await postgres.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
