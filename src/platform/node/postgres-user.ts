import { spawnSync } from 'node:child_process'
import { chmodSync, statSync } from 'node:fs'
import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import type { PostgresPackage } from './postgres-package.ts'

/** How a program of PostgreSQL is run: behind which commands, as whom. */
export interface PostgresUser {
  readonly prefix: readonly string[]
  readonly ids: { readonly uid?: number; readonly gid?: number }
}

const NOBODY = 65534
const PROBE_TIMEOUT_MS = 10_000

// In a namespace of its own, root becomes a user whom PostgreSQL accepts and whom the kernel still knows as root, so
// that files of root stay readable. Docker's seccomp profile forbids this; there the process drops to another user.
const NAMESPACE = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`]

// The kernel then stops PostgreSQL (SIGINT: fast shutdown) when the thread that started it ends, even by kill -9.
// macOS has nothing like it: there a kill -9 leaves an orphan, which the next start stops.
const DIES_WITH_PARENT = ['setpriv', '--pdeathsig', 'INT']

/** PostgreSQL refuses to run as uid 0, so root needs another way; `cluster` may exist already, and keeps its owner. */
export function choosePostgresUser(options: {
  postgres: PostgresPackage
  dataDir: string
  cluster: string
}): PostgresUser {
  const problems: string[] = []
  for (const user of candidates(options.cluster)) {
    // `nobody` needs to walk through root's data directory, and can open nothing there but its own cluster.
    if (user.ids.uid === NOBODY) chmodSync(options.dataDir, statSync(options.dataDir).mode | 0o011)
    const problem = probe(user, options)
    if (problem === undefined) return user
    problems.push(problem)
  }
  // The later candidates need less, so the last problem is the one to mend.
  throw new EmbeddedPostgresError(problems.at(-1) ?? 'No way to run PostgreSQL was tried.')
}

/** From the best to the last resort. */
function candidates(cluster: string): PostgresUser[] {
  const asMyself = { prefix: [], ids: {} }
  if (process.getuid?.() !== 0) return bothWays(asMyself)
  const made = statSync(cluster, { throwIfNoEntry: false })
  const owner = made?.uid ?? 0
  const inNamespace = { prefix: NAMESPACE, ids: {} }
  const dropped = owner === 0 ? { uid: NOBODY, gid: NOBODY } : { uid: owner, gid: made?.gid ?? owner }
  if (owner !== 0) return bothWays({ prefix: [], ids: dropped })
  return [...bothWays(inNamespace), ...(made === undefined ? bothWays({ prefix: [], ids: dropped }) : [])]
}

function bothWays(user: PostgresUser): PostgresUser[] {
  return [{ ...user, prefix: [...user.prefix, ...DIES_WITH_PARENT] }, user]
}

/** The command line of `program`, run by `user`. */
export function commandOf(user: PostgresUser, program: string, args: readonly string[]) {
  const [command = program, ...rest] = [...user.prefix, program, ...args]
  return { command, args: rest }
}

const CANNOT_ENTER = 10
const CANNOT_EXECUTE = 11

/** What hinders this user, in words; undefined when nothing does. */
function probe(
  user: PostgresUser,
  { postgres, dataDir }: { postgres: PostgresPackage; dataDir: string },
): string | undefined {
  const program = postgres.program('postgres')
  const script = `cd "$1" || exit ${CANNOT_ENTER}; test -x "$2" || exit ${CANNOT_EXECUTE}; exec "$2" --version`
  const { command, args } = commandOf(user, '/bin/sh', ['-c', script, 'sh', dataDir, program])
  const { status, error, stderr } = spawnSync(command, args, {
    ...user.ids,
    cwd: '/',
    env: postgres.env,
    encoding: 'utf8',
    timeout: PROBE_TIMEOUT_MS,
  })
  if (status === 0) return undefined
  const who = user.ids.uid === undefined ? 'the user that runs PostgreSQL' : `uid ${user.ids.uid}`
  const remedy = 'Move it, open its parent folders, start as an ordinary user, or set DATABASE_URL.'
  if (status === CANNOT_ENTER) return `The data directory ${dataDir} is not readable by ${who}. ${remedy}`
  if (status === CANNOT_EXECUTE) return `${program} is not readable by ${who}. ${remedy}`
  const reason = (error?.message ?? stderr).trim().split('\n')[0]
  return `The embedded PostgreSQL does not run here (${reason}): start as an ordinary user, or set DATABASE_URL.`
}
