import { mkdtempSync } from 'node:fs'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { migrateDatabase, openDatabase } from '../../src/db/index.ts'
import { randomUUID } from 'node:crypto'
const pgs = await startPostgres({ dataDir: mkdtempSync('/tmp/micro/pg-') })
const { ownerUrl, appUrl } = await ensureDatabase({ adminUrl: pgs.url, database: 'm', ownerPassword: 'aaaaaaaaaaaaaaaa', appPassword: 'bbbbbbbbbbbbbbbb' })
await migrateDatabase({ ownerUrl, migrations: await readMigrations() })
const database = openDatabase({ url: appUrl, applicationName: 'x', tenantConnectionsMax: 2, systemConnectionsMax: 2, connectTimeoutMs: 1000, statementTimeoutMs: 5000 })
const id = randomUUID()
await database.systemPool.query(`insert into instance (instance_id, platform, alive_until) values ($1,'node', now() + interval '1 hour')`, [id])
const payload = JSON.stringify([{ a: 'x'.repeat(700) }])
async function time(name: string, n: number, f: (i: number) => Promise<unknown>) {
  for (let i = 0; i < 200; i++) await f(-i - 1)
  const t: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < n; i++) { const s = performance.now(); await f(i); t.push(performance.now() - s) }
  const used = process.cpuUsage(cpu)
  t.sort((a, b) => a - b)
  console.log(name, 'p50', t[n >> 1]!.toFixed(3), 'p99', t[Math.floor(n * 0.99)]!.toFixed(3), 'cpu us', ((used.user + used.system) / n).toFixed(0))
}
for (let r = 0; r < 2; r++) {
  await time('select 1', 2000, () => database.systemPool.query({ name: 's1', text: 'select 1' }))
  await time('insert', 2000, (i) => database.systemPool.query({ name: 'ins', text: 'insert into usage_batch (instance_id, lane, batch, events, ended, uses) values ($1,$2,$3,$4,$5,$6) on conflict do nothing', values: [id, r, i, payload, '[]', payload.slice(0, 3) && '[{"a":1}]'] }))
  await time('insert nowait', 2000, (i) => database.systemPool.query({ name: 'ins2', text: `with q as (select set_config('synchronous_commit','off',true)) insert into usage_batch (instance_id, lane, batch, events, ended, uses) select $1,$2,$3,$4,$5,$6 from q on conflict do nothing`, values: [id, r + 10, i, payload, '[]', '[{"a":1}]'] }))
}
await database.close(); await pgs.stop()
