import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { AggregatorRegistry } from 'prom-client'
import { adminRoutes } from '../../admin/index.ts'
import { consoleRoutes } from '../../console/index.ts'
import { openDatabase } from '../../db/index.ts'
import type { Log } from '../../kernel/index.ts'
import { openPort } from './open-port.ts'
import { randomBytes } from 'node:crypto'
import { provideNodeCedar } from './cedar.ts'
import { readPeppers } from './config.ts'
import { declaring } from './declaring.ts'
import { nodeClock, nodeHmac, nodeSha256 } from './ports.ts'

/** Nobody waits longer than this for a page; a query that takes longer is ended. */
const statementTimeoutMs = 5_000
/** A month is read page by page; no page of it takes longer. */
const billingTimeoutMs = 60_000

/** The control plane's listener, in the supervisor: figures of all gateway processes, and the console. */
export async function serveAdmin(options: {
  host: string
  port: number
  /** The app role's connection string, and a role to take on when the login is another. */
  databaseUrl: string
  databaseRole: string | undefined
  ownerToken: string
  /** Under which keys and admin tokens are kept. */
  keyPepper: string
  gatewayUrl: string
  secureCookie: boolean
  log: Log
  isReady(): boolean
}): Promise<{ port: number; stop(): Promise<void> }> {
  const { log } = options
  const registry = new AggregatorRegistry()
  const open = (
    applicationName: string,
    connections: { tenants: number; system: number },
    patienceMs = statementTimeoutMs,
  ) =>
    openDatabase({
      url: options.databaseUrl,
      applicationName,
      tenantConnectionsMax: connections.tenants,
      systemConnectionsMax: connections.system,
      connectTimeoutMs: statementTimeoutMs,
      statementTimeoutMs: patienceMs,
      ...(options.databaseRole === undefined ? {} : { role: options.databaseRole }),
    })
  const database = open('formulary-console', { tenants: 1, system: 2 })
  // Whoever only looks must not stand in the way of a suspension.
  const control = open('formulary-admin', { tenants: 2, system: 6 })
  // Two months are closed at once at most: whoever comes third is told to come again, and holds up no other act.
  const billing = open('formulary-billing', { tenants: 1, system: 2 }, billingTimeoutMs)
  const databases = [database, control, billing]
  provideNodeCedar()
  const peppers = readPeppers(options.keyPepper)
  const app = adminRoutes({
    log,
    control: {
      database: control,
      log,
      hmac: nodeHmac,
      making: {
        hmac: nodeHmac,
        pepper: peppers.current,
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
      },
      declaring,
      billing: { database: billing, startSha256: nodeSha256 },
      ownerToken: options.ownerToken,
      pepper: (version) => peppers.find(version),
      now: () => nodeClock.now(),
    },
    isReady: () => options.isReady(),
    // A process that dies while it is asked makes the whole question fail; the next one is asked without it.
    metrics: () =>
      registry.clusterMetrics().then(
        (text) => ({ text, contentType: registry.contentType }),
        () => undefined,
      ),
  })
  app.route(
    '/',
    consoleRoutes({
      ownerToken: options.ownerToken,
      gatewayUrl: options.gatewayUrl,
      secureCookie: options.secureCookie,
      hmac: nodeHmac,
      database,
      log,
      now: () => nodeClock.now(),
      addressOf: (c) => getConnInfo(c).remote.address ?? '',
    }),
  )
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const server = createServer({ requestTimeout: 30_000 }, (incoming, outgoing) => void listener(incoming, outgoing))
  try {
    const port = await openPort(server, { host: options.host, port: options.port })
    return {
      port,
      async stop() {
        await new Promise<void>((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        })
        await Promise.all(databases.map((one) => one.close()))
      },
    }
  } catch (error) {
    await Promise.all(databases.map((one) => one.close()))
    throw error
  }
}
