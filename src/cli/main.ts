import { parseArgs } from 'node:util'
import { Failure, instant } from '../kernel/index.ts'
import { migrateDatabase } from '../db/index.ts'
import { ConfigError, readConfig, type Config } from '../platform/node/config.ts'
import { findDatabase } from '../platform/node/find-database.ts'
import { EmbeddedPostgresError } from '../platform/node/embedded-postgres-error.ts'
import { readMigrations } from '../platform/node/read-migrations.ts'
import { StartError } from '../platform/node/start-error.ts'
import { withDatabase } from '../platform/node/start.ts'
import { runKey } from './commands/key.ts'
import { runLicense } from './commands/license.ts'
import { runServe } from './commands/serve.ts'
import { runStart } from './commands/start.ts'
import { runTenants } from './commands/tenants.ts'
import { runUsage } from './commands/usage.ts'

const usage = `usage: formulary <noun> <verb> [--json]

  start                                  everything on this machine, for development (npm start)
  serve                                  gateway and admin, against DATABASE_URL
  db migrate                             brings the database's schema forward
  tenants plan | apply                   compares the declarations with the database, or makes it so
  key create <tenant>/<application>      [--days 90] [--scope chat]…  prints the key once
  key rotate <key id>                    [--overlap-hours 24] [--days 90]
  key revoke <key id>                    [--reason text]
  key list [<tenant>]
  license show | suspend | resume | revoke <license>   [--reason text] [--until time]
  usage report                           [--tenant name] [--from date] [--to date]`

/** The command line. Returns the exit status: 0 done, 1 refused or failed, 2 usage. */
export async function main(args: readonly string[]): Promise<number> {
  const out = (line: string) => void process.stdout.write(`${line}\n`)
  const err = (line: string) => void process.stderr.write(`${line}\n`)
  try {
    const [noun, ...rest] = args.filter((arg) => arg !== '--json')
    const json = args.includes('--json')
    if (noun === undefined || noun === 'help' || noun === '--help') {
      ;(noun === undefined ? err : out)(usage)
      return noun === undefined ? 2 : 0
    }
    const config = readConfig(process.env)
    const io = { out, err, json, now: instant(Date.now()) }
    switch (noun) {
      case 'start':
        return await runStart(config, io)
      case 'serve':
        return await runServe(config, io)
      case 'db':
        return await runMigrate(config, rest, io)
      case 'tenants':
        return await onDatabase(config, (database) => runTenants(rest, { ...io, database, tenantsDir: config.TENANTS_DIR }))
      case 'key':
        return await onDatabase(config, (database, keyPepper) => runKey(rest, { ...io, database, keyPepper }))
      case 'license':
        return await onDatabase(config, (database) => runLicense(rest, { ...io, database }))
      case 'usage':
        return await onDatabase(config, (database) => runUsage(rest, { ...io, database }))
      default:
        err(`formulary: there is no \`${noun}\``)
        err(usage)
        return 2
    }
  } catch (error) {
    if (isForOperator(error)) {
      err(`formulary: ${error.message}`)
      return 1
    }
    if (isUsageError(error)) {
      err(`formulary: ${error.message}`)
      return 2
    }
    throw error
  }
}

async function onDatabase(
  config: Config,
  work: (database: Parameters<Parameters<typeof withDatabase>[1]>[0], keyPepper: string | undefined) => Promise<number>,
): Promise<number> {
  const found = await findDatabase(config)
  try {
    return await withDatabase(found, (database) => work(database, found.keyPepper))
  } finally {
    await found.close()
  }
}

async function runMigrate(
  config: Config,
  rest: readonly string[],
  io: { out(line: string): void; err(line: string): void; json: boolean },
): Promise<number> {
  parseArgs({ args: [...rest], allowPositionals: true, strict: true })
  if (rest.length !== 1 || rest[0] !== 'migrate') {
    io.err(usage)
    return 2
  }
  const found = await findDatabase(config)
  try {
    const applied = await migrateDatabase({ ownerUrl: found.ownerUrl, migrations: await readMigrations() })
    if (io.json) io.out(JSON.stringify({ applied }))
    else io.out(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
    return 0
  } finally {
    await found.close()
  }
}

const isForOperator = (error: unknown): error is Error =>
  error instanceof ConfigError ||
  error instanceof StartError ||
  error instanceof EmbeddedPostgresError ||
  error instanceof Failure

/** What node:util's parseArgs throws at an unknown option or a missing value. */
const isUsageError = (error: unknown): error is Error =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
