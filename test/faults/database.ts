import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrateDatabase } from '../../src/db/index.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'

/** A PostgreSQL of one's own, to be ill-treated. */
export interface FaultyDatabase {
  readonly port: number
  readonly appUrl: string
  /** The superuser's, in the product's database. */
  readonly adminUrl: string
  /** The server and all its processes, as by the kernel; nothing is flushed. */
  kill(): Promise<void>
  start(): Promise<void>
  /** One process that serves a gateway; the server then throws everybody out and recovers. False: there was none. */
  killBackend(): Promise<boolean>
  /** Whether it answers at all. */
  answers(): Promise<boolean>
  pause(): void
  resume(): void
  /** The gateways' role may have no more connections than this, and loses those it has; -1: as many as it wants. */
  limitConnections(max: number): Promise<void>
  /** Nobody can write to these tables until the returned function is called. */
  lock(tables: readonly string[]): Promise<() => Promise<void>>
  stop(): Promise<void>
}

const name = 'formulary'

/**
 * Without fsync, because no machine falls here; but a commit is in the kernel's hands before it is told, so that what a
 * killed server had committed is there after its recovery.
 */
const settings = { synchronous_commit: 'on', full_page_writes: 'on' }

export async function startFaultyDatabase(): Promise<FaultyDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), 'formulary-faults-'))
  let server = await startPostgres({ dataDir, durable: false, settings })
  const { port } = server
  const passwords = { ownerPassword: randomBytes(16).toString('hex'), appPassword: randomBytes(16).toString('hex') }
  const { ownerUrl, appUrl } = await ensureDatabase({ adminUrl: server.url, database: name, ...passwords })
  await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
  const adminUrl = server.url.replace(/\/postgres$/, `/${name}`)

  const signal = (what: NodeJS.Signals) => {
    for (const pid of serverProcesses(join(dataDir, 'cluster'))) tell(pid, what)
  }
  return {
    port,
    appUrl,
    adminUrl,
    async kill() {
      signal('SIGKILL')
      await server.stop()
    },
    async start() {
      server = await startPostgres({ dataDir, durable: false, port, settings })
    },
    async killBackend() {
      const [backend] = await ask<{ pid: number }>(
        adminUrl,
        "select pid from pg_stat_activity where application_name = 'formulary-gateway' order by state, pid limit 1",
      )
      if (backend === undefined) return false
      tell(backend.pid, 'SIGKILL')
      return true
    },
    async answers() {
      try {
        await ask(adminUrl, 'select 1')
        return true
      } catch {
        return false
      }
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async limitConnections(max) {
      await again(() => ask(adminUrl, `alter role formulary_app connection limit ${Math.trunc(max)}`))
      const end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'formulary_app'"
      if (max >= 0) await again(() => ask(adminUrl, end))
    },
    async lock(tables) {
      const client = await again(async () => {
        const locking = await connected(adminUrl)
        await locking.query(`begin; lock table ${tables.join(', ')} in exclusive mode`)
        return locking
      })
      return async () => {
        await client.query('rollback').catch(() => {})
        await client.end().catch(() => {})
      }
    },
    async stop() {
      signal('SIGCONT')
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

export type Question = <Row extends pg.QueryResultRow>(text: string) => Promise<readonly Row[]>

/** Several questions of one moment. */
export async function atOneMoment<T>(url: string, work: (question: Question) => Promise<T>): Promise<T> {
  const client = await connected(url)
  try {
    await client.query('begin isolation level repeatable read read only')
    return await work(async <Row extends pg.QueryResultRow>(text: string) => (await client.query<Row>(text)).rows)
  } finally {
    await client.end().catch(() => {})
  }
}

/** One question over a connection of its own: no fault of before is in it. */
export async function ask<Row extends pg.QueryResultRow>(url: string, text: string): Promise<readonly Row[]> {
  const client = await connected(url)
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

const attemptsMax = 100

/** The server may just be throwing everybody out, because another fault killed one of its processes. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attemptsMax) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, statement_timeout: 20_000 })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** The postmaster, which its own file names, and its children. */
function serverProcesses(cluster: string): readonly number[] {
  const postmaster = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0])
  if (!(postmaster > 1)) throw new Error('the postmaster has no number')
  const children = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === postmaster)
  // First the parent, lest it sees its children die.
  return [postmaster, ...children.map(Number)]
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function tell(pid: number, what: NodeJS.Signals): void {
  try {
    process.kill(pid, what)
  } catch {
    // It has ended by itself.
  }
}
