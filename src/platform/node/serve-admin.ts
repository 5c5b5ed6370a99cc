import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { AggregatorRegistry } from 'prom-client'
import { adminRoutes } from '../../admin/index.ts'
import { consoleRoutes } from '../../console/index.ts'
import { openDatabase, systemTransaction } from '../../db/index.ts'
import { cookieKey, cookieNames, noteFirstStart, Providers } from '../../identity/index.ts'
import { Failure, type Log } from '../../kernel/index.ts'
import { guardedProviderFetch } from './fetch-provider.ts'
import { hostInUrl, openPort } from './open-port.ts'
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
  /** Opens nothing but the first minute of an installation. */
  ownerToken: string
  /** Where the outside finds the control plane; without it nobody can be sent to a provider in production. */
  adminUrl: string | undefined
  /** What secrets of providers are looked up in, by the names that declarations give. */
  environment: NodeJS.ProcessEnv
  /** Under which keys and admin tokens are kept. */
  keyPepper: string
  gatewayUrl: string
  /** Production: cookies over TLS only, providers over https only and those of hospitals on the internet. */
  isProduction: boolean
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
  const { isProduction } = options
  const outside = guardedProviderFetch({ isDevelopment: !isProduction })
  const address: { url: string | undefined } = { url: options.adminUrl }
  const shared = {
    log,
    hmac: nodeHmac,
    cookieKey: cookieKey(nodeHmac, peppers.current.secret),
    pepper: (version: number) => peppers.find(version),
    adminUrl: () => address.url,
    now: () => nodeClock.now(),
  }
  const closeAll = () => Promise.all([...databases, outside].map((one) => one.close()))
  const app = adminRoutes({
    log,
    control: {
      ...shared,
      database: control,
      sessionCookie: cookieNames(isProduction).session,
      making: {
        hmac: nodeHmac,
        pepper: peppers.current,
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
      },
      declaring,
      billing: { database: billing, startSha256: nodeSha256 },
      ownerToken: options.ownerToken,
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
      ...shared,
      gatewayUrl: options.gatewayUrl,
      isSecure: isProduction,
      database,
      providers: new Providers({
        fetch: outside.fetchProvider,
        secretOf: (variable) => options.environment[variable],
        isDevelopment: !isProduction,
        log,
        monotonicMs: () => nodeClock.monotonicMs(),
      }),
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      addressOf: (c) => getConnInfo(c).remote.address ?? '',
    }),
  )
  await systemTransaction(control, 'administer', (tx) => noteFirstStart(tx, nodeClock.now())).catch(
    (error: unknown) => {
      // A control plane without its database says so when it is asked.
      if (!(error instanceof Failure)) throw error
      log.warn('admin.start_not_noted', { dependency: error.dependency, why: error.message })
    },
  )
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const server = createServer({ requestTimeout: 30_000 }, (incoming, outgoing) => void listener(incoming, outgoing))
  try {
    const port = await openPort(server, { host: options.host, port: options.port })
    if (!isProduction) address.url ??= `http://${hostInUrl(options.host)}:${port}`
    return {
      port,
      async stop() {
        await new Promise<void>((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        })
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}
