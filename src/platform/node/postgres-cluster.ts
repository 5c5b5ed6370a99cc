import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedPostgresError, firstComplaint } from './embedded-postgres-error.ts'
import { findPostgresPackage, type PostgresPackage } from './postgres-package.ts'
import { choosePostgresUser, commandOf, type PostgresUser } from './postgres-user.ts'

/** What one data directory holds, and who runs it. */
export interface PostgresCluster {
  readonly dataDir: string
  /** What initdb made. It comes into being by a rename, so an interrupted initdb leaves none. */
  readonly path: string
  /** The file with the password of the superuser `postgres`. */
  readonly passwordFile: string
  readonly postgres: PostgresPackage
  readonly user: PostgresUser
}

const INITDB_TIMEOUT_MS = 120_000

export function locateCluster(dataDir: string): PostgresCluster {
  const path = join(dataDir, 'cluster')
  const postgres = findPostgresPackage(dataDir)
  const user = choosePostgresUser({ postgres, dataDir, cluster: path })
  return { dataDir, path, passwordFile: join(dataDir, 'password'), postgres, user }
}

/** Makes the cluster unless it is there already; `durable: false` spares the sync to disk. */
export async function ensureCluster(cluster: PostgresCluster, options: { durable: boolean }): Promise<void> {
  if (existsSync(cluster.path)) requireSameMajor(cluster)
  else await makeCluster(cluster, options)
}

function requireSameMajor({ path, postgres }: PostgresCluster): void {
  const file = join(path, 'PG_VERSION')
  const made = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
  if (made === postgres.major) return
  const what = made === undefined ? 'is not a PostgreSQL cluster' : `was made by PostgreSQL ${made}`
  throw new EmbeddedPostgresError(
    `${path} ${what}, and this is PostgreSQL ${postgres.major}: move it away to begin anew, or serve it with its own version and set DATABASE_URL.`,
  )
}

async function makeCluster(cluster: PostgresCluster, options: { durable: boolean }): Promise<void> {
  const draft = join(cluster.dataDir, 'cluster.new')
  const draftPassword = join(cluster.dataDir, 'password.new')
  rmSync(draft, { recursive: true, force: true })
  rmSync(draftPassword, { force: true })
  mkdirSync(draft, { mode: 0o700 })
  writeFileSync(draftPassword, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
  const { uid, gid } = cluster.user.ids
  if (uid !== undefined && gid !== undefined) for (const path of [draft, draftPassword]) chownSync(path, uid, gid)

  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${draftPassword}`]
  // The built-in provider orders and folds Unicode alike on every platform, whichever locales are installed.
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--encoding=UTF8']
  const sync = options.durable ? [] : ['--no-sync']
  await runInitdb(cluster, ['-D', draft, ...access, ...locale, ...sync, '--no-instructions'])

  if (uid !== undefined) chownSync(draftPassword, 0, 0)
  renameSync(draftPassword, cluster.passwordFile)
  renameSync(draft, cluster.path)
}

async function runInitdb(cluster: PostgresCluster, initdbArgs: readonly string[]): Promise<void> {
  const { command, args } = commandOf(cluster.user, cluster.postgres.program('initdb'), initdbArgs)
  try {
    await promisify(execFile)(command, args, {
      ...cluster.user.ids,
      cwd: cluster.dataDir,
      env: cluster.postgres.env,
      timeout: INITDB_TIMEOUT_MS,
    })
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? firstComplaint(String(error.stderr)) : String(error)
    throw new EmbeddedPostgresError(`initdb could not make ${cluster.path}: ${said}`, { cause: error })
  }
}

export function readPassword({ passwordFile }: PostgresCluster): string {
  try {
    return readFileSync(passwordFile, 'utf8').trim()
  } catch (error) {
    throw new EmbeddedPostgresError(
      `${passwordFile} cannot be read, and without it nobody can log in to the cluster beside it.`,
      { cause: error },
    )
  }
}
