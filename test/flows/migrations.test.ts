import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { migrateDatabase, systemTransaction, type Database } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { dropDatabase, ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { loadVersions } from '../../src/release/index.ts'
import { planDeclarations, readDeclarations } from '../../src/tenants/index.ts'
import { treeFor } from '../support/declarations.ts'
import { declareTree, openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'

const hostUrl = 'http://model-host.test'
/** The first that takes the stages of versions out of their rows. */
const release = '0071_release'

const adminUrl = inject('postgresAdminUrl')
const name = `test_${randomBytes(8).toString('hex')}`
let today: TestDatabase
let newer: Database
let older: Database
let admin: pg.Client
beforeAll(async () => {
  today = await cloneDatabase()
  newer = openTestDatabase(today.appUrl)
  await declareTree(newer, hostUrl)
})
afterAll(async () => {
  await Promise.all([newer?.close(), older?.close(), admin?.end()])
  await today?.drop()
  await dropDatabase({ adminUrl, database: name })
})

test('a database that was filled before the release ladder comes out of the migrations as if it had been declared anew', async () => {
  const urls = await ensureDatabase({ adminUrl, database: name, ...inject('postgresPasswords') })
  const migrations = await readMigrations()
  const before = migrations.filter((migration) => migration.name < release)
  expect(before.length).toBeGreaterThan(5)
  expect(before.length).toBeLessThan(migrations.length)
  await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations: before })

  // As the processes of then would have written it, and hours of use.
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  const catalog = await systemTransaction(newer, 'administer', async (tx) => ({
    models: await tx.selectFrom('model').selectAll().execute(),
    versions: await tx.selectFrom('model_version').selectAll().execute(),
    deployments: await tx.selectFrom('deployment').selectAll().execute(),
    released: await loadVersions(tx),
  }))
  for (const { model, title, protocol } of catalog.models)
    await admin.query('insert into model (model, title, protocol) values ($1, $2, $3)', [model, title, protocol])
  for (const { model, version, context_tokens, output_tokens } of catalog.versions) {
    const standing = catalog.released.get(`${model}@${version}`)?.standing
    const recalled = standing?.recalled
    await admin.query(
      `insert into model_version (model, version, stage, context_tokens, output_tokens, recalled_at, recall_reason)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        model,
        version,
        standing?.stage,
        context_tokens,
        output_tokens,
        recalled === undefined ? null : new Date(recalled.at),
        recalled?.reason,
      ],
    )
  }
  for (const row of catalog.deployments)
    await admin.query(
      `insert into deployment (model, version, deployment, url, upstream_model, region, weight, credential_env)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [row.model, row.version, row.deployment, row.url, row.upstream_model, row.region, row.weight, row.credential_env],
    )
  await fillHours(admin)

  await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations })
  older = openTestDatabase(urls.appUrl)
  const shown = async (database: Database) => {
    const versions = await systemTransaction(database, 'administer', (tx) => loadVersions(tx))
    return [...versions].map(([key, { digest, upstream, standing }]) => ({
      key,
      digest,
      upstream,
      stage: standing.stage,
      recalled: standing.recalled,
    }))
  }
  expect(await shown(older)).toEqual(await shown(newer))

  // The tree finds nothing to change in the catalog: a version that is not what it was would be refused.
  const read = readDeclarations(treeFor(hostUrl))
  const plan = read.ok ? await planDeclarations(older, read.value, instant(Date.now())) : read
  expect(plan.ok ? [] : plan.error).toEqual([])
  const changed = plan.ok ? plan.value.changes.map(({ what }) => what) : []
  expect(changed.filter((what) => what === 'model' || what === 'version' || what === 'deployment')).toEqual([])

  const sums = await admin.query<{ hours: string; days: string }>(
    `select (select sum(input_tokens) from usage_hour)::text as hours, (select sum(input_tokens) from usage_day)::text as days`,
  )
  expect(sums.rows[0]).toEqual({ hours: '60', days: '60' })
})

/** Three hours of use of two days, in the rows of then. */
async function fillHours(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ tenant_id: string }>(
    `insert into tenant (tenant, name, kind) values ('old', 'An old hospital', 'hospital') returning tenant_id`,
  )
  for (const [index, at] of ['2026-11-01T10:00Z', '2026-11-01T11:30Z', '2026-11-02T00:00Z'].entries())
    await client.query(
      `insert into usage_event (tenant_id, started_at, request_id, attempt, operation, streamed, outcome, duration_ms, license,
         license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region, requests,
         input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos, instance_id)
       values ($1, $2, gen_random_uuid(), 1, 'chat', false, 'answered', 5, 'LIC-OLD', 1, 'main', 'ehr', 'key', 'clinician',
         'TREAT', 'scribe', '1.0.0', 'east', 'us-east', 1, $3, 5, 0, 'host', 'standard', 1, 'USD', 100, gen_random_uuid())`,
      [rows[0]?.tenant_id, at, (index + 1) * 10],
    )
}
