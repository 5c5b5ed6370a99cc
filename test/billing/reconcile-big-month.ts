// A month of many calls with faults of all kinds, found by the reconciliation: `npm run reconcile:month -- 1000000 [faults of
// each kind] [seed]`. Ends with status 1 when one was missed or something was found that nobody planted.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrateDatabase, openDatabase, type Database } from '../../src/db/index.ts'
import { provideNodeCedar } from '../../src/platform/node/cedar.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { plantMonth } from './planted-month.ts'
import { runPlantedMonth } from './run-planted-month.ts'

const calls = Number(process.argv[2] ?? 1_000_000)
const faultsPerKind = Number(process.argv[3] ?? 50)
const seed = Number(process.argv[4] ?? 1)
const say = (text: string) => process.stdout.write(`${text}\n`)

provideNodeCedar()
const folder = mkdtempSync(join(tmpdir(), 'formulary-month-'))
const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), durable: true })
try {
  const passwords = { ownerPassword: randomBytes(16).toString('hex'), appPassword: randomBytes(16).toString('hex') }
  const { ownerUrl, appUrl } = await ensureDatabase({ adminUrl: postgres.url, database: 'month', ...passwords })
  await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
  const database = openDatabase({
    url: appUrl,
    applicationName: 'month',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 900_000,
  })
  const admin = new pg.Client({
    connectionString: Object.assign(new URL(postgres.url), { pathname: '/month' }).href,
  })
  await admin.connect()
  await measure(database, admin)
  await admin.end()
  await database.close()
} finally {
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function measure(database: Database, admin: pg.Client): Promise<void> {
  say(`${cpus().length} cores, ${cpus()[0]?.model}`)
  // A connection there already, so that what it uses can be told.
  await database.systemPool.query('select 1')
  const plant = () => plantMonth(database, { calls, faultsPerKind, seed, folder })
  const planted = await timed(`a month of ${calls.toLocaleString('en-US')} calls made`, admin, plant)
  // As a month has long been when it is reconciled.
  await timed('analyzed', admin, () => admin.query('vacuum (analyze) usage_event'))
  const lines = await timed('both reports imported', admin, () => planted.importReports())
  say(`  ${lines.toLocaleString('en-US')} lines`)
  const { ran, findings } = await timed('reconciled', admin, () => runPlantedMonth(database, planted))
  const again = await timed('reconciled again', admin, () => runPlantedMonth(database, planted))
  const { calls: figures, stripe, classes } = ran.figures
  say(`  ${figures.ours.calls} calls here, ${figures.theirs.lines} lines there, ${figures.agreed.calls} agree`)
  say(`  units of ours ${figures.ours.input} and ${figures.ours.output}, 0 unexplained (the run fails otherwise)`)
  say(`  hours at Stripe: ${stripe?.hours.ours} units here, ${stripe?.hours.agreed} agree`)
  say(`  ${JSON.stringify(classes)}`)
  say(`  ${planted.expected.size} planted, ${findings.length} missed or not planted`)
  for (const finding of [...findings, ...again.findings].slice(0, 20)) say(`  ${finding}`)
  if (findings.length + again.findings.length > 0) process.exitCode = 1
}

/** With what it took of the processors, and the most memory that this process and the busiest backend held meanwhile. */
async function timed<T>(what: string, admin: pg.Client, work: () => Promise<T>): Promise<T> {
  const { rows } = await admin.query<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  )
  const there = () => rows.reduce((sum, { pid }) => sum + processorSeconds(pid), 0)
  let [mostHere, mostThere] = [0, 0]
  const look = () => {
    mostHere = Math.max(mostHere, process.memoryUsage.rss())
    for (const { pid } of rows) mostThere = Math.max(mostThere, privateBytes(pid))
  }
  const watch = setInterval(look, 50)
  const [began, here, before] = [performance.now(), process.cpuUsage(), there()]
  const done = await work()
  clearInterval(watch)
  look()
  const used = process.cpuUsage(here)
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`
  say(
    `${what}: ${seconds(performance.now() - began)}, of processors ${seconds((used.user + used.system) / 1000)} here and ` +
      `${seconds((there() - before) * 1000)} in the database; at most ${megabytes(mostHere)} here, ` +
      `${megabytes(mostThere)} of its own in a backend`,
  )
  return done
}

/** What a process has used of the processors (proc(5): fields 14 and 15 of stat, in hundredths of a second). */
function processorSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return 0
  }
}

/** Memory of a process that it shares with nobody; 0 where the system does not say. */
function privateBytes(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/RssAnon:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
