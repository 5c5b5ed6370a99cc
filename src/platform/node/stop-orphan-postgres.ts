import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

const FAST_SHUTDOWN_TIMEOUT_MS = 30_000
const IMMEDIATE_SHUTDOWN_TIMEOUT_MS = 5_000
const POLL_MS = 20

/**
 * Makes sure that no PostgreSQL serves `cluster`. To be called by the holder of the data directory only: then a server
 * that still runs has lost its parent, and nobody else will stop it.
 *
 * - `postmaster.pid` names a process that is gone: PostgreSQL clears that up by itself.
 * - It names a living process that is something else (numbers are used again): PostgreSQL would refuse to start, so
 *   the file goes. Should a backend be left over nevertheless, its shared memory still makes PostgreSQL refuse.
 * - It names this cluster's server: fast shutdown, as `pg_ctl stop -m fast`, and then the immediate one, which leaves
 *   the write-ahead log to recover from.
 */
export async function stopOrphanPostgres(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid')
  const pid = readPid(file)
  if (pid === undefined || !isAlive(pid)) return
  if (!servesCluster(pid, cluster)) {
    rmSync(file, { force: true })
    return
  }
  if (await signalAndWait(pid, cluster, 'SIGINT', FAST_SHUTDOWN_TIMEOUT_MS)) return
  if (await signalAndWait(pid, cluster, 'SIGQUIT', IMMEDIATE_SHUTDOWN_TIMEOUT_MS)) return
  throw new EmbeddedPostgresError(`A PostgreSQL (process ${pid}) still serves ${cluster} and does not stop: end it.`)
}

/** The first line is the server's process id. */
function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').split('\n', 1)[0])
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}

/** EPERM means that it lives and is another user's. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Backends overwrite their command line and a zombie has none, so that only a living server answers to `-D cluster`. */
function servesCluster(pid: number, cluster: string): boolean {
  return commandLine(pid).includes(`postgres\0-D\0${cluster}\0`)
}

/** Arguments ended by NUL; `ps`, for the systems without /proc, gives spaces, which are taken for them. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    const { stdout } = spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return stdout === null ? '' : `${stdout.trim()} `.replaceAll(' ', '\0')
  }
}

async function signalAndWait(pid: number, cluster: string, signal: NodeJS.Signals, timeoutMs: number) {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone since we looked, or another user's: the loop below tells which.
  }
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(POLL_MS))
    if (!servesCluster(pid, cluster)) return true
  return false
}
