import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ordersVariable, type WorkerOrders } from '../../src/platform/node/gateway-worker.ts'
import { testHostKey, testPepper, testSigningKey } from './house.ts'

export interface GatewayProcess {
  readonly url: string
  readonly pid: number
  /** Ends it as the kernel would: nothing is flushed, nobody is told. */
  kill(): Promise<void>
  /** Asks it to stop and waits until it has. */
  stop(): Promise<void>
  /** A signal, and no wait for what it does. */
  signal(name: NodeJS.Signals): void
  /** A message over the channel that it has to its parent. */
  tell(message: object | string): void
  /** Whether the process still runs. */
  isRunning(): boolean
}

/** Processes of one database are neighbors. */
const dataDirs = new Map<string, string>()

const worker = fileURLToPath(new URL('../../src/platform/node/gateway-worker.ts', import.meta.url))

/** A gateway as a process of its own, on a free port. */
export async function spawnGateway(options: {
  databaseUrl: string
  environment?: Readonly<Record<string, string>>
  /** A module that is loaded before the gateway's own. */
  preload?: URL
  /** Gets each line of the gateway's log. */
  log?: (line: string) => void
}): Promise<GatewayProcess> {
  const database = new URL(options.databaseUrl).pathname
  const dataDir = dataDirs.get(database) ?? mkdtempSync(join(tmpdir(), 'formulary-test-data-'))
  dataDirs.set(database, dataDir)
  const orders: WorkerOrders = { databaseUrl: options.databaseUrl, keyPepper: testPepper, signingKey: testSigningKey }
  const child = fork(worker, [], {
    stdio: ['ignore', options.log === undefined ? 'ignore' : 'pipe', 'inherit', 'ipc'],
    ...(options.preload === undefined ? {} : { execArgv: ['--import', options.preload.href] }),
    env: {
      ...process.env,
      PORT: '0',
      LEASE_SECONDS: '2',
      LOG_LEVEL: 'error',
      DATA_DIR: dataDir,
      TEST_HOST_KEY: testHostKey,
      ...options.environment,
      [ordersVariable]: JSON.stringify(orders),
    },
  })
  const { log } = options
  if (log !== undefined && child.stdout !== null) createInterface({ input: child.stdout }).on('line', log)
  const port = await ready(child)
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    kill: () => ended(child, () => child.kill('SIGKILL')),
    stop: () => ended(child, () => child.send('stop')),
    signal: (name) => void child.kill(name),
    tell: (message) => void (child.connected && child.send(message)),
    isRunning: () => child.exitCode === null && child.signalCode === null,
  }
}

function ready(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code} before it was ready`)))
    child.on('message', (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('kind' in message)) return
      if (message.kind === 'ready' && 'port' in message) resolve(Number(message.port))
      if (message.kind === 'failed' && 'why' in message) reject(new Error(String(message.why)))
    })
  })
}

function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    end()
  })
}
