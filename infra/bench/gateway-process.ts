import { nodeLog } from '../../src/platform/node/log.ts'
import { supervise } from '../../src/platform/node/supervise.ts'
import { WorkerOrders } from '../../src/platform/node/gateway-worker.ts'
import { readConfig } from '../../src/platform/node/config.ts'

// The gateway as `formulary serve` runs it, with its figures sent to the benchmark instead of printed: the same supervisor,
// the same workers, the same log. It ends with its parent.
export const gatewayOrders = 'BENCH_GATEWAY_ORDERS'

async function main(text: string): Promise<void> {
  Reflect.deleteProperty(process.env, gatewayOrders)
  const config = readConfig(process.env)
  const log = nodeLog(config.LOG_LEVEL)
  process.on('SIGINT', () => {})
  const gateways = await supervise({
    workers: config.WORKERS,
    orders: WorkerOrders.parse(JSON.parse(text)),
    environment: process.env,
    drainSeconds: config.DRAIN_SECONDS,
    log,
  })
  process.once('disconnect', () => {
    void gateways.stop().then(() => {
      log.flush()
      process.exit(0)
    })
  })
  process.send?.({ port: gateways.port })
}

const orders = process.env[gatewayOrders]
if (orders !== undefined) await main(orders)
