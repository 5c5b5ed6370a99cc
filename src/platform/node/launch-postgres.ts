import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError, firstComplaint } from './embedded-postgres-error.ts'
import type { PostgresCluster } from './postgres-cluster.ts'
import { commandOf } from './postgres-user.ts'

export interface PostgresServer {
  readonly port: number
  /** Ever harder, from the smart shutdown to the kernel's. Resolves when the server has ended. */
  readonly stop: () => Promise<void>
}

// The recovery after a crash happens within it.
const START_TIMEOUT_MS = 120_000
const PORT_ATTEMPTS_MAX = 5
const LOG_CHARS_MAX = 20_000
// First the one that waits for connections to end: a pool says that it has ended before its sockets have, and a
// connection that the server ends meanwhile is an error that nobody listens for any more.
const SHUTDOWN: readonly (readonly [signal: NodeJS.Signals, timeoutMs: number])[] = [
  ['SIGTERM', 1_000],
  ['SIGINT', 30_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
]

/**
 * Serves the cluster on 127.0.0.1. Without `port` on a free one: between our finding it and the server's taking it
 * somebody else may, and then another is tried.
 */
export async function launchPostgres(
  cluster: PostgresCluster,
  options: { port?: number | undefined; settings: Readonly<Record<string, string>> },
): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort())
    const launched = await launch(cluster, { ...options, port })
    if (launched.ready) return { port, stop: launched.stop }
    const taken = launched.log.includes('could not bind')
    if (taken && options.port === undefined && attempt < PORT_ATTEMPTS_MAX) continue
    throw new EmbeddedPostgresError(
      taken ? `Port ${port} of 127.0.0.1 is taken.` : `PostgreSQL did not start: ${firstComplaint(launched.log)}`,
    )
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}

type Launched = { ready: true; stop: () => Promise<void> } | { ready: false; log: string }

async function launch(
  cluster: PostgresCluster,
  { port, settings }: { port: number; settings: Readonly<Record<string, string>> },
): Promise<Launched> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  // `-D` comes first, because stop-orphan-postgres.ts knows the server by it.
  const serverArgs = ['-D', cluster.path, '-p', String(port), ...flags]
  const { command, args } = commandOf(cluster.user, cluster.postgres.program('postgres'), serverArgs)
  const child = spawn(command, args, {
    ...cluster.user.ids,
    cwd: cluster.dataDir,
    env: cluster.postgres.env,
    // A session of its own: Ctrl-C in our terminal reaches us and not the server, which we stop last.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // For an end without `stop` where the kernel does not tell the child: all that an exit listener may do.
  const interrupt = () => child.kill('SIGINT')
  process.once('exit', interrupt)
  const ended = new Promise<'ended'>((done) => {
    child.on('error', () => done('ended'))
    // Not `exit`: the backends hold the log open, and they have to be gone as well.
    child.once('close', () => done('ended'))
  }).finally(() => process.off('exit', interrupt))

  const stop = async () => {
    for (const [signal, timeoutMs] of SHUTDOWN) {
      child.kill(signal)
      if ((await within(ended, timeoutMs)) === 'ended') return
    }
    throw new Error(`PostgreSQL (process ${child.pid}) outlived SIGKILL`)
  }

  const log = readLog(child.stderr)
  const outcome = await within(Promise.race([log.ready, ended]), START_TIMEOUT_MS)
  if (outcome === 'ready') return { ready: true, stop }
  await stop()
  return { ready: false, log: outcome === 'ended' ? log.tail() : `not ready within ${START_TIMEOUT_MS / 1000} seconds` }
}

/** The log matters until the server is ready. Afterwards it is only drained, lest the server block on a full pipe. */
function readLog(stream: Readable): { ready: Promise<'ready'>; tail(): string } {
  let tail = ''
  const ready = new Promise<'ready'>((done) => {
    const read = (chunk: string) => {
      tail = (tail + chunk).slice(-LOG_CHARS_MAX)
      if (!tail.includes('database system is ready to accept connections')) return
      stream.off('data', read).resume()
      done('ready')
    }
    stream.setEncoding('utf8').on('data', read)
  })
  return { ready, tail: () => tail }
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const timer = new AbortController()
  try {
    return await Promise.race([promise, sleep(timeoutMs, undefined, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}
