import { randomBytes } from 'node:crypto'
import { ConfigError, readPeppers, type Config } from '../../platform/node/config.ts'
import { nodeLog } from '../../platform/node/log.ts'
import { serveAdmin } from '../../platform/node/serve-admin.ts'
import { givenDatabase } from '../../platform/node/given-database.ts'
import { hostInUrl } from '../../platform/node/open-port.ts'
import { supervise } from '../../platform/node/supervise.ts'
import { listenForInterruption } from '../interruption.ts'

/** `formulary serve`: gateway processes and admin against a database that is there and up to date. */
export async function runServe(
  config: Config,
  io: { readonly environment: NodeJS.ProcessEnv; out(line: string): void },
): Promise<0> {
  const { DATABASE_URL: databaseUrl, KEY_PEPPER: keyPepper } = config
  if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set: `formulary serve` needs a database')
  if (keyPepper === undefined) throw new ConfigError('KEY_PEPPER is not set: without it no key can be checked')
  readPeppers(keyPepper)
  const log = nodeLog(config.LOG_LEVEL)
  // For development, until the process ends; production has to bring its own.
  const ownerToken = config.OWNER_TOKEN ?? `fml_owner_${randomBytes(32).toString('hex')}`
  const interruption = listenForInterruption()
  const { appUrl, role } = givenDatabase(databaseUrl, config.DATABASE_OWNER_URL)
  const gateways = await supervise({
    workers: config.WORKERS,
    orders: { databaseUrl: appUrl, databaseRole: role, keyPepper, signingKey: config.SIGNING_KEY },
    environment: io.environment,
    drainSeconds: config.DRAIN_SECONDS,
    log,
  })
  try {
    const admin = await serveAdmin({
      host: config.HOST,
      port: config.ADMIN_PORT,
      databaseUrl: appUrl,
      databaseRole: role,
      ownerToken,
      adminUrl: config.ADMIN_URL,
      environment: io.environment,
      keyPepper,
      gatewayUrl: `http://${hostInUrl(config.HOST)}:${gateways.port}`,
      isProduction: config.NODE_ENV === 'production',
      log,
      isReady: () => gateways.isReady(),
    })
    const made = config.OWNER_TOKEN === undefined ? { ownerToken } : {}
    io.out(JSON.stringify({ gateway: gateways.port, admin: admin.port, workers: config.WORKERS, ...made }))
    await interruption.happened
    await admin.stop()
  } finally {
    await gateways.stop()
    log.flush()
  }
  return 0
}
