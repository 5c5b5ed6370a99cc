import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Log } from '../../kernel/index.ts'
import { StartError } from './start-error.ts'
import { ordersVariable, type WorkerOrders } from './gateway-worker.ts'

export interface Supervised {
  readonly port: number
  isReady(): boolean
  stop(): Promise<void>
}

/**
 * Runs so many gateway processes on one port and starts a new one for each that dies, at once the first time and later
 * the longer the quicker they die.
 * @throws StartError when the first processes do not come up.
 */
export async function supervise(options: {
  workers: number
  orders: WorkerOrders
  environment: NodeJS.ProcessEnv
  drainSeconds: number
  log: Log
}): Promise<Supervised> {
  cluster.setupPrimary({ exec: fileURLToPath(new URL('gateway-worker.ts', import.meta.url)), args: [] })
  const alive = new Set<Worker>()
  let stopping = false
  let deaths = 0

  const fork = (): Promise<number> => {
    const worker = cluster.fork({ ...options.environment, [ordersVariable]: JSON.stringify(options.orders) })
    worker.on('exit', (code, signal) => {
      const wasReady = alive.delete(worker)
      if (stopping || !wasReady) return
      options.log.error('gateway.died', { pid: worker.process.pid, code, signal })
      const delayMs = Math.min(10_000, deaths++ * 250)
      setTimeout(() => (deaths = Math.max(0, deaths - 1)), 60_000).unref()
      setTimeout(() => {
        if (!stopping) fork().catch((error: unknown) => options.log.error('gateway.not_started', {}, error))
      }, delayMs)
    })
    return new Promise((resolve, reject) => {
      worker.on('message', (message: unknown) => {
        if (typeof message !== 'object' || message === null || !('kind' in message)) return
        if (message.kind === 'ready' && 'port' in message && typeof message.port === 'number') {
          alive.add(worker)
          resolve(message.port)
        }
        if (message.kind === 'failed' && 'why' in message) reject(new StartError(String(message.why)))
      })
      worker.once('exit', () => reject(new StartError('a gateway process ended before it was ready')))
    })
  }

  const ports = await Promise.all(Array.from({ length: options.workers }, fork)).catch(async (error: unknown) => {
    stopping = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
    throw error
  })
  return {
    port: ports[0] ?? 0,
    isReady: () => alive.size > 0,
    async stop() {
      stopping = true
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
      await Promise.all(workers.map((worker) => end(worker, options.drainSeconds + 10)))
    },
  }
}

function end(worker: Worker, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), seconds * 1000)
    worker.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    if (worker.isDead()) resolve()
    else worker.send('stop')
  })
}
