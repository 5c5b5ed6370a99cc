// A month that is over, for whoever tries finance on their own machine: `npm run demo:month`, before the first `npm start`.
// The whole house stands as if it had been started at the beginning of last month: the declarations are applied as of then,
// and the calls are real ones, through the gateway to the stand-in host, whose clocks are set back. Nothing is written past
// the writers of the house. What the database records by its own clock (when a row was written) says the truth.
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { monthBefore, monthName, monthOf, type Period } from '../../src/billing/index.ts'
import { readTenantsFolder } from '../../src/cli/read-tenants-folder.ts'
import { migrateDatabase, openDatabase, systemTransaction, type Database } from '../../src/db/index.ts'
import { createKey, revokeKey, type Actor, type KeyMaking } from '../../src/identity/index.ts'
import { instant, plusMs, type Clock, type Instant } from '../../src/kernel/index.ts'
import { ensureUsageMonths, untilUnfolded } from '../../src/metering/index.ts'
import { provideNodeCedar } from '../../src/platform/node/cedar.ts'
import { readConfig, readPeppers, type Config } from '../../src/platform/node/config.ts'
import { developmentSecrets, type Secrets } from '../../src/platform/node/development.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { serveGateway } from '../../src/platform/node/serve-gateway.ts'
import { StartError } from '../../src/platform/node/start-error.ts'
import { applyDeclarations, declaredBy, formatProblem } from '../../src/tenants/index.ts'
import { startModelHost, type ModelHost } from '../model-host/model-host.ts'
import { callsOf, type PlannedCall } from './calls.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)
const demo: Actor = { kind: 'command', name: 'npm run demo:month', roles: ['owner-admin'], tenantId: undefined }

/** It goes where it is told to go, and not of itself. */
class SetClock implements Clock {
  #at: Instant

  constructor(at: Instant) {
    this.#at = at
  }

  moveTo(at: Instant): void {
    this.#at = at
  }

  now(): Instant {
    return this.#at
  }

  monotonicMs(): number {
    return performance.now()
  }
}

async function main(): Promise<void> {
  const config = readConfig(process.env)
  if (config.NODE_ENV === 'production' || config.DATABASE_URL !== undefined)
    throw new StartError('a demonstration is for the embedded database of a developer’s machine')
  const dataDir = resolve(config.DATA_DIR)
  const secrets = await developmentSecrets(dataDir)
  const postgres = await startPostgres({ dataDir: join(dataDir, 'postgres') })
  try {
    const { ownerPassword, appPassword } = secrets
    const urls = await ensureDatabase({ adminUrl: postgres.url, database: 'formulary', ownerPassword, appPassword })
    await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations: await readMigrations() })
    const database = openDatabase({
      url: urls.appUrl,
      applicationName: 'formulary-demo',
      tenantConnectionsMax: 1,
      systemConnectionsMax: 2,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 30_000,
    })
    try {
      await fillMonth({ config, dataDir, secrets, database, appUrl: urls.appUrl })
    } finally {
      await database.close()
    }
  } finally {
    await postgres.stop()
  }
}

interface Ground {
  readonly config: Config
  readonly dataDir: string
  readonly secrets: Secrets
  readonly database: Database
  readonly appUrl: string
}

async function fillMonth(ground: Ground): Promise<void> {
  const { database, dataDir } = ground
  const period = monthBefore(monthOf(instant(Date.now())))
  await requireEmpty(database, ground.config)
  await declareAsOf(ground, period.start)
  const clock = new SetClock(plusMs(period.start, 60_000))
  const host = await startModelHost({
    knobs: { firstTokenMs: 0, chunkMs: 0 },
    usageLog: join(dataDir, 'model-host-usage.jsonl'),
    now: () => clock.now(),
  })
  try {
    const calls = callsOf(period)
    await callAll(ground, { calls, clock, host })
    await callPastTheGateway(host)
    await untilUnfolded(database)
    await report(database, period, calls.length)
  } finally {
    await host.stop()
  }
}

/** What is there already began later, and would be priced as if it had not been there. */
async function requireEmpty(database: Database, { DATA_DIR }: Config): Promise<void> {
  const { rows } = await database.systemPool.query<{ licenses: number }>(
    'select count(*)::integer as licenses from license',
  )
  if (rows[0]?.licenses !== 0)
    throw new StartError(
      `${DATA_DIR} has licenses already: take another folder (DATA_DIR=.data-demo npm run demo:month, and the same before npm start and npx formulary), or remove it`,
    )
}

async function declareAsOf({ database, config }: Ground, at: Instant): Promise<void> {
  provideNodeCedar()
  const read = await readTenantsFolder(config.TENANTS_DIR)
  const by = declaredBy({ by: demo.name, approvedBy: 'the tree in git', now: at })
  const applied = read.ok ? await applyDeclarations(database, read.value, by) : read
  if (!applied.ok)
    throw new StartError(applied.error.flatMap((problem) => formatProblem(problem, config.TENANTS_DIR)).join('\n'))
  await systemTransaction(database, 'maintain', (tx) => ensureUsageMonths(tx))
}

/** Every call at its time, one after the other, with a key that is taken back when the month is over. */
async function callAll(
  ground: Ground,
  { calls, clock, host }: { calls: readonly PlannedCall[]; clock: SetClock; host: ModelHost },
): Promise<void> {
  const { config, secrets, database, appUrl } = ground
  const making: KeyMaking = {
    hmac: nodeHmac,
    pepper: readPeppers(secrets.keyPepper).current,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  }
  const names = [...new Set(calls.map(({ application }) => application))]
  const keys = new Map<string, { text: string; keyId: string }>()
  for (const name of names) keys.set(name, await makeKey(database, making, name, clock.now()))
  const gateway = await serveGateway({
    config: { ...config, PORT: 0 },
    databaseUrl: appUrl,
    databaseRole: undefined,
    keyPepper: secrets.keyPepper,
    signingKey: secrets.signingKey,
    demoHostUrl: host.url,
    environment: process.env,
    log: nodeLog('error'),
    clock,
  })
  // One answer comes without its count of tokens: what the gateway counts then, a reconciliation finds to be otherwise.
  const uncounted = calls.findLast(({ application }) => application === 'lakeside-health/ehr')
  try {
    for (const call of calls) {
      clock.moveTo(call.at)
      host.setKnobs({ usage: call === uncounted ? 'absent' : 'honest' })
      await send(`http://127.0.0.1:${gateway.port}`, call, keys.get(call.application)?.text ?? '')
    }
  } finally {
    await gateway.stop()
  }
  await systemTransaction(database, 'administer', async (tx) => {
    for (const { keyId } of keys.values())
      await revokeKey(tx, { keyId, reason: 'the demonstration is over', actor: demo, now: instant(Date.now()) })
  })
}

async function makeKey(database: Database, making: KeyMaking, name: string, now: Instant) {
  const [tenant = '', application = ''] = name.split('/')
  const made = await systemTransaction(database, 'administer', (tx) =>
    createKey(tx, making, { tenant, application, scopes: undefined, days: 60, actor: demo, now }),
  )
  if (!made.ok) throw new StartError(`${name} is not declared in this tree: ${made.error.reason}`)
  return { text: made.value.key.text.reveal(), keyId: made.value.key.keyId }
}

async function send(url: string, { path, body, facility }: PlannedCall, key: string): Promise<void> {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'formulary-facility': facility,
    },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new StartError(`a call was answered ${answer.status}: ${text}`)
}

/** Somebody who knows the host's address: it serves and will bill what no gateway has seen. */
async function callPastTheGateway(host: ModelHost): Promise<void> {
  const answer = await fetch(`${host.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'clinical-assistant-1-2',
      max_tokens: 40,
      messages: [{ role: 'user', content: 'a question that went past the gateway' }],
    }),
  })
  await answer.text()
}

async function report(database: Database, period: Period, calls: number): Promise<void> {
  const { rows } = await database.systemPool.query<{ license: string; calls: number }>(
    `select license, count(*)::integer as calls from usage_event where started_at >= $1 and started_at < $2
     group by license order by license`,
    [new Date(period.start), new Date(period.end)],
  )
  const entered = rows.reduce((sum, row) => sum + row.calls, 0)
  if (entered !== calls) throw new Error(`${calls} calls were made, and ${entered} are in the ledger`)
  say(`${calls} calls in ${monthName(period)}, all in the ledger:`)
  for (const row of rows) say(`  ${row.license}  ${row.calls}`)
  say(
    'Beside them the host served one call that went past the gateway, and one answer came without its count of tokens.',
  )
  say('')
  say('The month is over and open. npm start, and then, in another terminal:')
  for (const { license } of rows.slice(0, 1)) {
    say(`  npx formulary period show ${license} --month ${monthName(period)}`)
    say(`  npx formulary period close ${license} --month ${monthName(period)}`)
  }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Error) || error.name === 'Error') throw error
  process.stderr.write(`demo:month: ${error.message}\n`)
  process.exitCode = 1
}
