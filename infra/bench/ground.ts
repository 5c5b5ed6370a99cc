import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrateDatabase, systemTransaction, type Database } from '../../src/db/index.ts'
import { createKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { provideNodeCedar } from '../../src/platform/node/cedar.ts'
import { ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { startPostgres } from '../../src/platform/node/postgres.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { withDatabase } from '../../src/platform/node/start.ts'
import { applyDeclarations, declaredBy, formatProblem, readDeclarations } from '../../src/tenants/index.ts'
import type { Knobs } from '../model-host/knobs.ts'
import { benchApplication, benchDeclarations, tenantName } from './declarations.ts'
import { startChild, type Child } from './start-child.ts'

/** What every system of a run stands on. */
export interface Ground {
  readonly hostUrl: string
  readonly hostPid: number
  /** One API key per tenant. */
  readonly keys: readonly string[]
  readonly keyPepper: string
  /** As the gateway connects, and as a superuser, who sees all rows. */
  readonly appUrl: string
  readonly adminUrl: string
  readonly loadGenerator: Child
  /** Takes the gateways' log, of which only the warnings are read. */
  readonly logFd: number
  readonly logPath: string
  /** The gateways' DATA_DIR. */
  readonly dataDir: string
  setKnobs(knobs: Partial<Knobs>): Promise<void>
  stop(): Promise<void>
}

const databaseName = 'formulary'
// On the disk of the checkout: a temporary folder may be memory, and a commit to memory is no commit.
const dataDir = fileURLToPath(new URL('../../.data', import.meta.url))

/** A durable PostgreSQL with declarations in it, a model host and a load generator, each a process of its own. */
export async function openGround(options: { tenants: number }): Promise<Ground> {
  mkdirSync(dataDir, { recursive: true, mode: 0o711 })
  const workDir = mkdtempSync(join(dataDir, 'bench-'))
  chmodSync(workDir, 0o711)
  const stops: (() => Promise<void>)[] = [async () => rmSync(workDir, { recursive: true, force: true })]
  const stop = async () => {
    for (const stopPart of stops.splice(0).toReversed()) await stopPart()
  }
  try {
    const postgres = await startPostgres({ dataDir: join(workDir, 'postgres'), durable: true })
    stops.push(() => postgres.stop())
    const passwords = { ownerPassword: secret(), appPassword: secret() }
    const urls = await ensureDatabase({ adminUrl: postgres.url, database: databaseName, ...passwords })
    await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations: await readMigrations() })

    const host = await startChild('../model-host/main.ts', { args: ['--port', '0'] })
    stops.push(() => host.stop())
    const hostUrl = textIn(host.ready, 'url')
    const keyPepper = secret()
    const keys = await withDatabase({ appUrl: urls.appUrl, role: undefined }, async (database) => {
      await declare(database, { hostUrl, tenants: options.tenants })
      // One after the other: of ten thousand at once the last would wait longer than for a connection.
      const made: string[] = []
      for (let index = 0; index < options.tenants; index++)
        made.push(await makeKey(database, keyPepper, tenantName(index)))
      return made
    })

    const logPath = join(workDir, 'gateway.log')
    const loadGenerator = await startChild('load-generator.ts')
    stops.push(() => loadGenerator.stop())
    return {
      hostUrl,
      hostPid: host.pid,
      keys,
      keyPepper,
      appUrl: urls.appUrl,
      adminUrl: Object.assign(new URL(postgres.url), { pathname: `/${databaseName}` }).href,
      loadGenerator,
      logFd: openSync(logPath, 'a'),
      logPath,
      dataDir: join(workDir, 'gateway'),
      async setKnobs(knobs) {
        const answer = await fetch(`${hostUrl}/_knobs`, { method: 'PUT', body: JSON.stringify(knobs) })
        if (!answer.ok) throw new Error(`the model host refused its knobs: ${await answer.text()}`)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const secret = (): string => randomBytes(32).toString('hex')

async function declare(database: Database, options: { hostUrl: string; tenants: number }): Promise<void> {
  provideNodeCedar()
  const read = readDeclarations(benchDeclarations(options))
  const by = declaredBy({ by: 'the bench', approvedBy: 'whoever runs it', now: instant(Date.now()) })
  const applied = read.ok ? await applyDeclarations(database, read.value, by) : read
  if (!applied.ok) throw new Error(applied.error.flatMap((problem) => formatProblem(problem, 'bench')).join('\n'))
}

async function makeKey(database: Database, keyPepper: string, tenant: string): Promise<string> {
  const making = {
    hmac: nodeHmac,
    pepper: { version: 1, secret: new TextEncoder().encode(keyPepper) },
    randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
  }
  const actor = { kind: 'command', name: 'the bench', roles: [], tenantId: undefined } as const
  const wish = { tenant, application: benchApplication, scopes: undefined, days: 30, actor, now: instant(Date.now()) }
  const created = await systemTransaction(database, 'administer', (tx) => createKey(tx, making, wish))
  if (!created.ok) throw new Error(`no key for ${tenant}: ${created.error.reason}`)
  return created.value.key.text.reveal()
}

/** A field of a child's first message. */
export function textIn(message: unknown, field: string): string {
  if (typeof message === 'object' && message !== null && field in message)
    return String(Object.entries(message).find(([name]) => name === field)?.[1])
  throw new Error(`a child did not say its ${field}`)
}
