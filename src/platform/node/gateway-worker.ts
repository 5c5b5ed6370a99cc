import { readConfig } from './config.ts'
import { nodeLog } from './log.ts'
import { watchProcess } from './metrics.ts'
import { serveGateway } from './serve-gateway.ts'
import { ordersVariable, WorkerOrders } from './worker-orders.ts'

export { ordersVariable, WorkerOrders } from './worker-orders.ts'

/** What a stop may take after the last call has ended. */
const stopSecondsMax = 10

/** One gateway process of several that share a port. It ends when the supervisor says so or is gone. */
async function main(): Promise<void> {
  // Ctrl-C reaches every process of the terminal; the supervisor decides the order in which they end.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => {})
  const orders = WorkerOrders.parse(JSON.parse(process.env[ordersVariable] ?? '{}'))
  Reflect.deleteProperty(process.env, ordersVariable)
  const config = readConfig(process.env)
  const log = nodeLog(config.LOG_LEVEL)
  const served = await serveGateway({
    config,
    databaseUrl: orders.databaseUrl,
    databaseRole: orders.databaseRole,
    keyPepper: orders.keyPepper,
    signingKey: orders.signingKey,
    demoHostUrl: orders.demoHostUrl,
    environment: process.env,
    log,
  })
  watchProcess(served)
  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    // Without a database or a supervisor a stop may find no end; what is open then is settled by expiry.
    setTimeout(() => process.exit(1), (config.DRAIN_SECONDS + stopSecondsMax) * 1000).unref()
    await served.stop()
    log.flush()
    process.exit(0)
  }
  process.on('SIGTERM', () => void stop())
  process.on('disconnect', () => void stop())
  process.on('message', (message) => {
    if (message === 'stop') void stop()
  })
  process.on('uncaughtException', (error) => {
    log.error('process.bug', {}, error)
    log.flush()
    process.exit(1)
  })
  process.on('unhandledRejection', (error) => {
    log.error('process.bug', {}, error)
    log.flush()
    process.exit(1)
  })
  process.send?.({ kind: 'ready', port: served.port })
}

if (process.env[ordersVariable] !== undefined)
  main().catch((error: unknown) => {
    const why = error instanceof Error ? error.message : 'unknown error'
    process.send?.({ kind: 'failed', why }, () => process.exit(1))
  })
