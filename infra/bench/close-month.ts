// What it takes to close a month of many calls: `npm run bench:close -- 1000000`. The month is filled with made-up calls,
// closed, made again and compared, and then a row is altered behind everybody's back.
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { closePeriod, monthOf, verifyPeriod, type Period } from '../../src/billing/index.ts'
import { migrateDatabase, openDatabase, type Database } from '../../src/db/index.ts'
import { instant, plusDays } from '../../src/kernel/index.ts'
import { provideNodeCedar } from '../../src/platform/node/cedar.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { applyDeclarations, declaredBy, formatProblem, readDeclarations } from '../../src/tenants/index.ts'
import { benchDeclarations } from './declarations.ts'

const rows = Number(process.argv[2] ?? '1000000')
const say = (text: string) => process.stdout.write(`${text}\n`)
const actor = { kind: 'command', name: 'the bench', roles: [], tenantId: undefined } as const
/** The last whole month. */
const period = monthOf(plusDays(monthOf(instant(Date.now())).start, -1))

async function main(): Promise<void> {
  const dataDir = fileURLToPath(new URL('../../.data', import.meta.url))
  mkdirSync(dataDir, { recursive: true, mode: 0o711 })
  const workDir = mkdtempSync(join(dataDir, 'close-'))
  chmodSync(workDir, 0o711)
  const postgres = await startPostgres({ dataDir: join(workDir, 'postgres'), durable: true })
  try {
    const passwords = { ownerPassword: secret(), appPassword: secret() }
    const urls = await ensureDatabase({ adminUrl: postgres.url, database: 'formulary', ...passwords })
    await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations: await readMigrations() })
    const database = openDatabase({
      url: urls.appUrl,
      applicationName: 'bench',
      tenantConnectionsMax: 1,
      systemConnectionsMax: 2,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 60_000,
    })
    const client = new pg.Client({
      connectionString: Object.assign(new URL(postgres.url), { pathname: '/formulary' }).href,
    })
    await client.connect()
    try {
      await measure(database, client)
    } finally {
      await client.end()
      await database.close()
    }
  } finally {
    await postgres.stop()
    rmSync(workDir, { recursive: true, force: true })
  }
}

async function measure(database: Database, client: pg.Client): Promise<void> {
  await declare(database, period.start)
  await timed(`filled with ${rows.toLocaleString('en-US')} calls`, () => fill(client, period))
  const { rows: licenses } = await client.query<{ license: string }>(
    `select license from license where license <> 'LIC-OWNER' order by 1`,
  )
  const license = licenses[0]?.license ?? ''
  const wish = { license, period, reasons: new Map(), actor, now: plusDays(period.end, 1) }
  const closed = await timed('closed', () => closePeriod({ database, startSha256: nodeSha256 }, wish))
  if (!closed.ok) throw new Error(JSON.stringify(closed.error))
  say(`  ${closed.value.rows} rows, ${closed.value.usageSha256}, ${closed.value.invoice}`)
  say(`  memory, most of it: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`)
  const again = () => verifyPeriod({ database, startSha256: nodeSha256 }, { license, period })
  const same = await timed('made again', again)
  if (!same.ok || same.value.differences.length > 0) throw new Error(JSON.stringify(same))
  say(`  the same, byte for byte: ${same.value.usageSha256 === closed.value.usageSha256}`)
  await client.query(alterText)
  const altered = await timed('made again, one row altered', again)
  if (!altered.ok || altered.value.differences.length === 0) throw new Error('an altered row was not noticed')
  say(`  ${altered.value.differences.join('; ')}`)
}

const secret = (): string => randomBytes(32).toString('hex')

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const done = await work()
  say(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return done
}

async function declare(database: Database, at: number): Promise<void> {
  provideNodeCedar()
  const read = readDeclarations(benchDeclarations({ hostUrl: 'http://127.0.0.1:9', tenants: 1 }))
  const by = declaredBy({ by: 'the bench', approvedBy: 'whoever runs it', now: instant(at) })
  const applied = read.ok ? await applyDeclarations(database, read.value, by) : read
  if (!applied.ok) throw new Error(applied.error.flatMap((problem) => formatProblem(problem, 'bench')).join('\n'))
}

/** As a superuser and without triggers: row by row it would take as long as the calls did. */
async function fill(client: pg.Client, { start, end }: Period): Promise<void> {
  await client.query(`select ensure_usage_months(4, 1)`)
  await client.query(`set session_replication_role = replica`)
  await client.query(fillText, [rows, new Date(start), (end - start) / 1000])
  await client.query(`set session_replication_role = origin`)
  await client.query('vacuum (analyze) usage_event')
}

const fillText = `
insert into usage_event (tenant_id, started_at, request_id, attempt, settled_at, operation, streamed, outcome, host_status,
  first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
  deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency,
  charge_picos, instance_id, policy, ends_call)
select l.tenant_id, at, gen_random_uuid(), 1, at, 'chat', n % 2 = 0, 'answered', 200, 20, 400, l.license, 1,
  'site-' || n % 7, 'ehr', 'filled', 'clinician', 'TREAT', 'bench', '1.0.0', 'east', 'us-east', 1, 500 + n % 97,
  200 + n % 13, 0, 'host', 'standard', 1, 'USD', 4500000000, gen_random_uuid(), '{licensed-use}', true
from generate_series(0, $1::bigint - 1) as n
cross join lateral (select $2::timestamptz + make_interval(secs => n::double precision / $1 * $3::double precision) as at) as t
cross join (select tenant_id, license from license where license <> 'LIC-OWNER' order by license limit 1) as l`

const alterText = `
update usage_event set output_tokens = output_tokens + 1
where (tenant_id, started_at, request_id) in (select tenant_id, started_at, request_id from usage_event
  order by started_at offset 1000 limit 1)`

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : 'failed'}\n`)
  process.exitCode = 1
})
