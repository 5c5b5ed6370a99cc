import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { AggregatorRegistry } from 'prom-client'
import { adminRoutes } from '../../admin/index.ts'
import { openPort } from './open-port.ts'

/** The control plane's listener, in the supervisor: it adds up the figures of all gateway processes. */
export async function serveAdmin(options: {
  host: string
  port: number
  isReady(): boolean
}): Promise<{ port: number; stop(): Promise<void> }> {
  const registry = new AggregatorRegistry()
  const app = adminRoutes({
    isReady: () => options.isReady(),
    // A process that dies while it is asked makes the whole question fail; the next one is asked without it.
    metrics: () =>
      registry.clusterMetrics().then(
        (text) => ({ text, contentType: registry.contentType }),
        () => undefined,
      ),
  })
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const server = createServer({ requestTimeout: 30_000 }, (incoming, outgoing) => void listener(incoming, outgoing))
  const port = await openPort(server, { host: options.host, port: options.port })
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
