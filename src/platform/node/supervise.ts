import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Log } from '../../kernel/index.ts'
import { readConfig } from './config.ts'
import { findFreePort } from './open-port.ts'
import { StartError } from './start-error.ts'
import { ordersVariable, type WorkerOrders } from './worker-orders.ts'

export interface Supervised {
  readonly port: number
  isReady(): boolean
  stop(): Promise<void>
}

/**
 * Runs so many gateway processes on one port and starts a new one for each that dies, at once the first time and later
 * the longer the quicker they die. One that dies before it is ready is started again like any other, so that a database
 * that was away for a while costs nothing but that while.
 * @throws StartError when the first processes do not come up.
 */
export async function supervise(options: {
  workers: number
  orders: WorkerOrders
  /** What the processes read their settings from. */
  environment: NodeJS.ProcessEnv
  drainSeconds: number
  log: Log
}): Promise<Supervised> {
  const { log } = options
  const { HOST, PORT, TLS_PORT } = readConfig(options.environment)
  // One number for all, so that whoever comes later listens where the first ones did.
  const port = await findFreePort({ host: HOST, port: PORT })
  const tlsPort = TLS_PORT === undefined ? undefined : await findFreePort({ host: HOST, port: TLS_PORT })
  cluster.setupPrimary({ exec: fileURLToPath(new URL('gateway-worker.ts', import.meta.url)), args: [] })
  const alive = new Set<Worker>()
  const restarts = new Set<NodeJS.Timeout>()
  let isUp = false
  let stopping = false
  let deaths = 0

  const fork = (): Promise<void> => {
    const worker = cluster.fork({
      ...options.environment,
      PORT: String(port),
      ...(tlsPort === undefined ? {} : { TLS_PORT: String(tlsPort) }),
      [ordersVariable]: JSON.stringify(options.orders),
    })
    worker.once('exit', (code, signal) => {
      const wasReady = alive.delete(worker)
      if (stopping || !(wasReady || isUp)) return
      log.error('gateway.died', { pid: worker.process.pid, code: code ?? undefined, signal: signal ?? undefined })
      restart()
    })
    return new Promise((resolve, reject) => {
      worker.on('message', (message: unknown) => {
        if (typeof message !== 'object' || message === null || !('kind' in message)) return
        if (message.kind === 'ready') {
          alive.add(worker)
          resolve()
        }
        if (message.kind === 'failed' && 'why' in message) reject(new StartError(String(message.why)))
      })
      worker.once('exit', () => reject(new StartError('a gateway process ended before it was ready')))
    })
  }

  const restart = () => {
    const delayMs = Math.min(10_000, deaths++ * 250)
    setTimeout(() => (deaths = Math.max(0, deaths - 1)), 60_000).unref()
    const timer = setTimeout(() => {
      restarts.delete(timer)
      fork().catch((error: unknown) => log.error('gateway.not_started', { why: whyOf(error) }))
    }, delayMs)
    restarts.add(timer)
  }

  try {
    await Promise.all(Array.from({ length: options.workers }, fork))
    isUp = true
  } catch (error) {
    stopping = true
    await endAll(alive, options.drainSeconds + 10)
    throw error
  }
  return {
    port,
    isReady: () => alive.size > 0,
    async stop() {
      stopping = true
      for (const timer of restarts) clearTimeout(timer)
      await endAll(alive, options.drainSeconds + 10)
    },
  }
}

/** What a process said of itself that could not start is one line for the operator. */
const whyOf = (error: unknown): string => (error instanceof StartError ? error.message : 'unknown')

/** Asks those that serve to stop, and gives them so long; one that is only starting has no calls to wait for. */
async function endAll(alive: ReadonlySet<Worker>, seconds: number): Promise<void> {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  await Promise.all(workers.map((worker) => end(worker, alive.has(worker) ? seconds : 0)))
}

function end(worker: Worker, seconds: number): Promise<void> {
  if (worker.isDead()) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), seconds * 1000)
    worker.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    if (worker.isConnected()) worker.send('stop')
  })
}
