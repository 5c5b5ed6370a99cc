import { resolve } from 'node:path'
import type { Config } from './config.ts'
import { developmentSecrets } from './development.ts'
import { ensureDatabase } from './ensure-database.ts'
import { startPostgres } from './postgres.ts'
import { findRunningDatabase } from './running-database.ts'
import { givenDatabase } from './given-database.ts'

export interface FoundDatabase {
  readonly ownerUrl: string
  readonly appUrl: string
  readonly role: string | undefined
  readonly keyPepper: string | undefined
  readonly signingKey: string | undefined
  /** Stops what was started for this. */
  close(): Promise<void>
}

/**
 * The database that a command is about: DATABASE_URL, or the embedded one of the data directory, running (as under
 * `npm start`) or started for the time of the command.
 */
export async function findDatabase(config: Config): Promise<FoundDatabase> {
  if (config.DATABASE_URL !== undefined)
    return {
      ...givenDatabase(config.DATABASE_URL, config.DATABASE_OWNER_URL),
      keyPepper: config.KEY_PEPPER,
      signingKey: config.SIGNING_KEY,
      close: async () => {},
    }
  const dataDir = resolve(config.DATA_DIR)
  const { ownerPassword, appPassword, ...secrets } = await developmentSecrets(dataDir)
  const keyPepper = config.KEY_PEPPER ?? secrets.keyPepper
  const signingKey = config.SIGNING_KEY ?? secrets.signingKey
  const running = await findRunningDatabase(dataDir)
  if (running !== undefined) return { ...running, role: undefined, keyPepper, signingKey, close: async () => {} }
  const postgres = await startPostgres({ dataDir: resolve(dataDir, 'postgres') })
  const urls = await ensureDatabase({ adminUrl: postgres.url, database: 'formulary', ownerPassword, appPassword })
  return { ...urls, role: undefined, keyPepper, signingKey, close: () => postgres.stop() }
}
