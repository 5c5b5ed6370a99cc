import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { z } from 'zod'
import { startModelHost } from '../../infra/model-host/model-host.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { parseApiKey, revokeKey, rotateKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import type { DeclarationFile } from '../../src/tenants/index.ts'
import { spawnTalkative, type TalkativeProcess } from '../conformance/talkative-process.ts'
import { openProxy, type Proxy } from '../conformance/tcp-proxy.ts'
import { watchWrites } from '../isolation/watch-writes.ts'
import { formulary, project, runCommand } from '../support/command.ts'
import { treeFor } from '../support/declarations.ts'
import { dumpDatabase } from '../support/dump-database.ts'
import { declareFiles, keyMaking, mintKey, openTestDatabase, tester, testHostKey } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { cloneDatabase } from '../support/postgres.ts'
import { get } from './calls.ts'
import { abilities, models, type Ability, type Process, type Target, type Tenant, type Terms } from './target.ts'

const leaseSeconds = 2
const bodyBytesMax = 100_000
const settings = {
  LEASE_SECONDS: String(leaseSeconds),
  FIRST_BYTE_SECONDS: '2',
  IDLE_SECONDS: '2',
  BODY_BYTES_MAX: String(bodyBytesMax),
  TEST_HOST_KEY: testHostKey,
}

const UsagePage = z.object({
  data: z.array(
    z.object({
      request_id: z.string(),
      attempt: z.number(),
      outcome: z.string(),
      input_tokens: z.number(),
      output_tokens: z.number(),
      charge: z.string(),
    }),
  ),
  next_after: z.string().nullable(),
})
const License = z.object({
  budgets: z.array(
    z.object({ budget: z.string(), limit: z.coerce.number(), used: z.coerce.number(), held: z.coerce.number() }),
  ),
})

/** Formulary as it is run: three processes over one PostgreSQL, and whatever else a test starts. */
export async function openFormulary(): Promise<Target> {
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
  const databases = await cloneDatabase()
  const database = openTestDatabase(databases.appUrl)
  const owner = new pg.Pool({ connectionString: databases.ownerUrl, max: 3 })
  // A connection that a test has ended for good is replaced on the next use.
  owner.on('error', () => {})
  // One for all: processes of one machine are neighbors, and replay what the dead left.
  const dataDir = mkdtempSync(join(tmpdir(), 'formulary-incidents-'))
  const environment = { ...settings, DATA_DIR: dataDir }
  const declared = new Map<string, readonly DeclarationFile[]>()
  const declare = (more: ReadonlyMap<string, readonly DeclarationFile[]> = new Map()) =>
    declareFiles(database, [
      ...treeFor(host.url),
      ...modelFiles(host.url),
      ...[...new Map([...declared, ...more]).values()].flat(),
    ])
  await mustBeAccepted(declare())
  const processes = await Promise.all([1, 2, 3].map(() => spawnTalkative(databases.appUrl, environment)))
  const urls = processes.map(({ url }) => url)
  const all: TalkativeProcess[] = [...processes]
  const proxies: Proxy[] = []
  let tenants = 0

  const withKey = async (name: string, key: string): Promise<Tenant> => {
    const tenant = { name, key, headers: { authorization: `Bearer ${key}` } }
    // A process looks for unknown keys ten times a second at most, so that a new one may be a stranger's for a moment.
    await until('every process knows the key', 10_000, async () => {
      const answers = await Promise.all(urls.map((url) => get(`${url}/v1/models`, tenant)))
      return answers.every(({ status }) => status === 200)
    })
    return tenant
  }
  const query = (text: string) => owner.query(text)
  /** In a transaction of its own, which holds what it took until the work is done. */
  const whileHeld = async <T>(pool: pg.Pool, texts: readonly string[], work: () => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (const text of texts) await client.query(text)
      return await work()
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  /** Each of the places fails so often. A sequence goes on counting when the transaction that asked it is rolled back. */
  const whileBroken = async <T>(
    { places, times, errorCode }: { places: readonly BrokenPlace[]; times: number; errorCode: string },
    work: () => Promise<T>,
  ): Promise<T> => {
    for (const { table, event, when } of places)
      await query(`create sequence broken_${table}; grant usage on sequence broken_${table} to public;
        create function break_${table}() returns trigger language plpgsql as $$ begin
          if nextval('broken_${table}') <= ${times} then
            raise exception 'broken for a test' using errcode = '${errorCode}';
          end if;
          return null;
        end $$;
        create trigger broken after ${event} on ${table} for each row ${when ?? ''} execute function break_${table}()`)
    try {
      const result = await work()
      for (const { table, event } of places) {
        const { rows } = await owner.query<{ called: boolean }>(`select is_called as called from broken_${table}`)
        // A fault that nothing met proves nothing.
        if (rows[0]?.called !== true) throw new Error(`no ${event} of ${table} came`)
      }
      return result
    } finally {
      for (const { table } of places)
        await query(`drop function break_${table}() cascade; drop sequence broken_${table}`)
    }
  }

  return {
    gateway: undefined,
    abilities: new Set(Object.keys(abilities).filter((ability): ability is Ability => ability !== 'guardrails')),
    host,
    hostCredential: testHostKey,
    urls,
    bodyBytesMax,
    anybody: { key: '', headers: {} },
    asCaller: () => ({}),
    cached: {},
    threeAttempts: {},
    brokenGuardrail: {},
    packageFolder: project,

    async newTenant(terms = {}) {
      const name = `tenant-${++tenants}`
      const files = tenantFiles(name, terms)
      await mustBeAccepted(declare(new Map([[name, files]])))
      declared.set(name, files)
      return withKey(name, await mintKey(database, `${name}/ehr`))
    },
    async tryTerms(tenant, terms) {
      const name = tenant === 'a new one' ? `tenant-${++tenants}` : tenant.name
      const files = tenantFiles(name, terms)
      const problems = await declare(new Map([[name, files]]))
      if (problems.length > 0) return 'refused'
      declared.set(name, files)
      return 'accepted'
    },
    declareAgain: () => mustBeAccepted(declare()),
    async rotateKey(tenant) {
      const wish = { keyId: idOf(tenant), overlapHours: 1, days: 1, actor: tester, now: instant(Date.now()) }
      const rotated = await systemTransaction(database, 'administer', (tx) => rotateKey(tx, keyMaking, wish))
      if (!rotated.ok) throw new Error(rotated.error.reason)
      return withKey(tenant.name, rotated.value.key.text.reveal())
    },
    async newKey(tenant, { scopes, endedAt }) {
      const at = endedAt === undefined ? undefined : endedAt - 86_400_000
      const key = await mintKey(database, `${tenant.name}/ehr`, {
        ...(scopes === undefined ? {} : { scopes }),
        ...(at === undefined ? {} : { days: 1, at }),
      })
      const made = { name: tenant.name, key, headers: { authorization: `Bearer ${key}` } }
      return endedAt === undefined ? withKey(tenant.name, key) : made
    },
    async revokeKey(tenant) {
      const wish = { keyId: idOf(tenant), reason: 'a test', actor: tester, now: instant(Date.now()) }
      await systemTransaction(database, 'administer', (tx) => revokeKey(tx, wish))
    },

    async ledgerOf(tenant) {
      const rows: z.infer<typeof UsagePage>['data'] = []
      for (let after = ''; ;) {
        const from = new Date(Date.now() - 3_600_000).toISOString()
        const page = await get(`${urls[0]}/v1/usage?limit=1000&from=${from}${after}`, tenant)
        const { data, next_after: next } = UsagePage.parse(JSON.parse(page.text))
        rows.push(...data)
        if (next === null) break
        after = `&after=${next}`
      }
      return rows.map((row) => ({
        requestId: row.request_id,
        attempt: row.attempt,
        outcome: row.outcome,
        inputTokens: row.input_tokens,
        outputTokens: row.output_tokens,
        charge: row.charge,
      }))
    },
    async budgetOf(tenant, budget = 'tokens/month') {
      const { budgets } = License.parse(JSON.parse((await get(`${urls[0]}/v1/license`, tenant)).text))
      const found = budgets.find((one) => one.budget === budget)
      if (found === undefined) throw new Error(`no budget ${budget} among ${budgets.map((one) => one.budget).join()}`)
      return found
    },

    async start(options = {}): Promise<Process> {
      const proxy = await openProxy(new URL(databases.appUrl))
      proxies.push(proxy)
      const started = await spawnTalkative(proxy.url, { ...environment, ...leaseOf(options) })
      all.push(started)
      return {
        url: started.url,
        end: (signal) => started.end(signal),
        cutDatabase: () => proxy.cut(),
        mendDatabase: () => proxy.mend(),
      }
    },
    async startInProduction(more) {
      const secret = '0123456789abcdef'.repeat(4)
      const command = runCommand(process.execPath, [formulary, 'serve'], {
        environment: {
          NODE_ENV: 'production',
          HOST: '127.0.0.1',
          PORT: '0',
          ADMIN_PORT: '0',
          WORKERS: '1',
          LOG_LEVEL: 'error',
          DATA_DIR: dataDir,
          DATABASE_URL: databases.appUrl,
          OWNER_TOKEN: secret,
          KEY_PEPPER: secret,
          SIGNING_KEY: secret,
          ...more,
        },
      })
      let isOver = false
      const ended = command.ended.then(() => (isOver = true))
      // One line of JSON on its output: it serves.
      await until('it serves or has ended', 30_000, () => isOver || command.stdout().includes('\n'))
      const refused = isOver
      if (!isOver) command.kill('SIGTERM')
      await ended
      return { refused, said: command.stdout() + command.stderr() }
    },

    // Batches of the group commit cannot be written, and those that are there cannot be unfolded.
    whileDebitsWait: (work) => whileHeld(owner, ['lock table usage_batch in share mode'], work),
    whileCountersAreLocked: (tenant, work) =>
      whileHeld(
        database.systemPool,
        [
          `set local app.system = 'on'`,
          `select 1 from budget_account where license = '${licenseOf(tenant.name)}' for update`,
        ],
        work,
      ),
    whileLastMonthIsLocked: (work) => whileHeld(owner, [`lock table ${lastMonth()} in access exclusive mode`], work),
    // A debit is written as one of a batch, and soon after taken out of its leases with its row. Both can fail.
    withDebitsBroken: (times, errorCode, work) =>
      whileBroken(
        {
          places: [
            { table: 'usage_batch', event: 'insert' },
            { table: 'budget_lease', event: 'update', when: 'when (old.used <> new.used)' },
          ],
          times,
          errorCode,
        },
        work,
      ),
    withBudgetsBroken: (work) =>
      whileBroken(
        {
          places: [{ table: 'budget_account', event: 'insert or update' }],
          times: 1_000_000,
          errorCode: 'XX000',
        },
        work,
      ),
    async rowsWrittenWhile(work) {
      // What earlier tests left is given back by itself; that is not the strangers' doing.
      await until('nothing is lent', 10_000, async () => {
        const { rows } = await database.systemPool.query<{ lent: string | null }>(
          'select sum(amount) as lent from budget_lease',
        )
        return Number(rows[0]?.lent ?? 0) === 0
      })
      const writes = await watchWrites(owner, database.systemPool)
      try {
        await work()
        return (await writes.seen()).written
      } finally {
        await writes.end()
      }
    },
    sinks: async () => (await dumpDatabase(databases)) + all.map((process) => process.output()).join(''),

    async stop() {
      await Promise.all(all.map((process) => process.stop()))
      await Promise.all(proxies.map((proxy) => proxy.stop()))
      await host.stop()
      await owner.end()
      await database.close()
      await databases.drop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

interface BrokenPlace {
  readonly table: string
  readonly event: string
  readonly when?: string
}

async function mustBeAccepted(problems: Promise<readonly string[]>): Promise<void> {
  const said = await problems
  if (said.length > 0) throw new Error(said.join('\n'))
}

const leaseOf = ({ leaseSeconds: seconds }: { leaseSeconds?: number }) =>
  seconds === undefined ? {} : { LEASE_SECONDS: String(seconds) }

const idOf = (tenant: Tenant): string => parseApiKey(tenant.key)?.keyId ?? ''
const licenseOf = (tenant: string): string => `LIC-${tenant.toUpperCase()}`

/** The partition of the ledger that holds the month before this one. */
function lastMonth(): string {
  const now = new Date()
  const [month] = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1)).toISOString().split('T')
  return `usage_event_${(month ?? '').slice(0, 7).replace('-', '_')}`
}

/** JSON is YAML. */
const file = (path: string, value: object): DeclarationFile => ({ path, text: JSON.stringify(value) })

function modelFiles(hostUrl: string): readonly DeclarationFile[] {
  const model = (name: string, limits: object, deployments: number) =>
    file(`models/${name}.yaml`, {
      model: name,
      title: name,
      protocol: 'openai',
      versions: [
        {
          version: '1.0.0',
          stage: 'licensed',
          limits,
          deployments: Array.from({ length: deployments }, (_, index) => ({
            name: `d${index}`,
            url: `${hostUrl}/v1`,
            model: `up-${name}-${index}`,
            region: 'us-east',
            weight: 1,
            credential: { env: 'TEST_HOST_KEY' },
          })),
        },
      ],
    })
  return [
    model('exact', { contextTokens: 80, outputTokens: 20 }, 1),
    model('wide', { contextTokens: 8192, outputTokens: 1024 }, 1),
    model('pair', { contextTokens: 80, outputTokens: 20 }, 2),
    file('models/predictor.yaml', {
      model: 'predictor',
      title: 'Predictor',
      protocol: 'open-inference',
      versions: [
        {
          version: '1.0.0',
          stage: 'licensed',
          deployments: [{ name: 'd0', url: hostUrl, model: 'ecg-low-ef', region: 'us-east', weight: 1 }],
        },
      ],
    }),
  ]
}

function tenantFiles(name: string, terms: Terms): readonly DeclarationFile[] {
  const granted = terms.models ?? models
  const budgets = [
    ...(terms.tokens === undefined ? [] : [{ meter: 'tokens', limit: terms.tokens, per: 'month' }]),
    ...(terms.budgets ?? []),
  ]
  return [
    file(`${name}/tenant.yaml`, {
      tenant: name,
      name,
      kind: 'hospital',
      facilities: [{ facility: 'main', name: 'Main', region: 'us-east' }],
      applications: [
        {
          application: 'ehr',
          audience: 'clinician',
          facilities: ['main'],
          purposes: ['TREAT'],
          // A scope that no model of the license serves is refused.
          scopes: granted.includes('predictor') ? ['chat', 'embeddings', 'infer'] : ['chat', 'embeddings'],
        },
      ],
    }),
    file(`${name}/license.yaml`, {
      license: licenseOf(name),
      plan: 'standard',
      term: { start: '2026-01-01T00:00:00Z', end: '2036-01-01T00:00:00Z', graceDays: 0 },
      entitlements: granted.map((model) => ({
        model,
        versions: '1.0.0',
        pin: '1.0.0',
        audiences: ['clinician'],
        purposes: ['TREAT'],
      })),
      rates: {
        requestsPerMinute: 1_000_000,
        tokensPerMinute: terms.tokensPerMinute ?? 1_000_000_000,
        concurrency: terms.concurrency ?? 10_000,
      },
      budgets: budgets.map((budget) => ({ ...budget, overage: 'deny' })),
      residency: ['us-east'],
      privacy: { clinician: terms.privacy ?? 'pass' },
    }),
  ]
}
