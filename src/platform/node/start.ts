import { resolve } from 'node:path'
import { migrateDatabase, type Database } from '../../db/index.ts'
import { assert, type Log } from '../../kernel/index.ts'
import type { Config } from './config.ts'
import { demoCredentials } from './demo-credentials.ts'
import {
  developmentSecrets,
  readMadeBefore,
  startDemoHost,
  writeDevelopmentFacts,
  type DevelopmentFacts,
  type Secrets,
} from './development.ts'
import { ensureDatabase } from './ensure-database.ts'
import { givenDatabase, withDatabase, type DatabaseLogins } from './given-database.ts'
import { findFreePort, hostInUrl } from './open-port.ts'
import { startPostgres } from './postgres.ts'
import { readMigrations } from './read-migrations.ts'
import { noteRunningDatabase } from './running-database.ts'
import { serveAdmin } from './serve-admin.ts'
import { supervise } from './supervise.ts'

export { withDatabase } from './given-database.ts'

export interface Started {
  readonly facts: DevelopmentFacts
  stop(): Promise<void>
}

/**
 * The whole house on one machine: database, declarations, a stand-in model host, gateway and admin. Everything it starts
 * is stopped in the opposite order, also when a later part fails to start or somebody interrupts. In production it
 * makes nothing up: no secrets, no keys, no stand-in.
 * @throws StartError, ConfigError or EmbeddedPostgresError with one line for the operator.
 */
export async function startHouse(options: {
  config: Config
  environment: NodeJS.ProcessEnv
  log: Log
  /** Looked at between the parts; then it throws the signal's reason. */
  interrupted: AbortSignal
  /** Brings the declarations into the database. @throws StartError when they are refused. */
  applyDeclarations(database: Database): Promise<void>
}): Promise<Started> {
  const { config, log, interrupted } = options
  const stops: (() => Promise<void>)[] = []
  const stop = () => stopAll(stops.splice(0).toReversed())
  try {
    await findFreePort({ host: config.HOST, port: config.PORT })
    await findFreePort({ host: config.HOST, port: config.ADMIN_PORT })
    const dataDir = resolve(config.DATA_DIR)
    const secrets = config.NODE_ENV === 'production' ? undefined : await developmentSecrets(dataDir)
    const keyPepper = config.KEY_PEPPER ?? secrets?.keyPepper
    const signingKey = config.SIGNING_KEY ?? secrets?.signingKey
    const ownerToken = config.OWNER_TOKEN ?? secrets?.ownerToken
    assert(keyPepper !== undefined && ownerToken !== undefined, 'production without secrets has no configuration')
    const urls = await databaseFor(config, secrets, dataDir, stops)
    interrupted.throwIfAborted()
    await migrateDatabase({ ownerUrl: urls.ownerUrl, migrations: await readMigrations() })

    const made = await withDatabase(urls, async (database) => {
      await options.applyDeclarations(database)
      return secrets === undefined
        ? { keys: {}, ownerToken }
        : demoCredentials(database, keyPepper, await readMadeBefore(dataDir))
    })
    interrupted.throwIfAborted()

    const demoHost = config.MODEL_HOST === 'demo' ? await startDemoHost(dataDir) : undefined
    if (demoHost !== undefined) stops.push(() => demoHost.stop())
    interrupted.throwIfAborted()
    const gateways = await supervise({
      workers: config.WORKERS,
      orders: { databaseUrl: urls.appUrl, databaseRole: urls.role, keyPepper, signingKey, demoHostUrl: demoHost?.url },
      environment: options.environment,
      drainSeconds: config.DRAIN_SECONDS,
      log,
    })
    stops.push(() => gateways.stop())
    const gatewayUrl = `http://${hostInUrl(config.HOST)}:${gateways.port}`
    const admin = await serveAdmin({
      host: config.HOST,
      port: config.ADMIN_PORT,
      databaseUrl: urls.appUrl,
      databaseRole: urls.role,
      ownerToken,
      adminUrl: config.ADMIN_URL,
      environment: options.environment,
      keyPepper,
      gatewayUrl,
      isProduction: config.NODE_ENV === 'production',
      log,
      isReady: () => gateways.isReady(),
    })
    stops.push(() => admin.stop())
    interrupted.throwIfAborted()

    const facts: DevelopmentFacts = {
      gateway: gatewayUrl,
      admin: `http://${hostInUrl(config.HOST)}:${admin.port}`,
      modelHost: demoHost?.url ?? '',
      ...made,
    }
    if (secrets !== undefined) await writeDevelopmentFacts(dataDir, facts)
    return { facts, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Every part is stopped, also when another could not be. @throws what the first of them threw. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const problems: unknown[] = []
  for (const stopPart of stops) await stopPart().catch((error: unknown) => problems.push(error))
  if (problems.length > 0) throw problems[0]
}

async function databaseFor(
  config: Config,
  secrets: Secrets | undefined,
  dataDir: string,
  stops: (() => Promise<void>)[],
): Promise<DatabaseLogins> {
  if (config.DATABASE_URL !== undefined) return givenDatabase(config.DATABASE_URL, config.DATABASE_OWNER_URL)
  assert(secrets !== undefined, 'production without a database has no configuration')
  const postgres = await startPostgres({ dataDir: resolve(dataDir, 'postgres') })
  stops.push(() => postgres.stop())
  const { ownerPassword, appPassword } = secrets
  const urls = await ensureDatabase({ adminUrl: postgres.url, database: 'formulary', ownerPassword, appPassword })
  stops.push(await noteRunningDatabase(dataDir, urls))
  return { ...urls, role: undefined }
}
