import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import pg from 'pg'
import { createApp } from '../../app.ts'
import { openStripeDoor, readWebhookSecrets, type StripeDoor } from '../../billing/index.ts'
import { openDatabase, requireBoundRole } from '../../db/index.ts'
import { assembleGateway, emptyMemory } from '../../gateway/index.ts'
import { jobsFor, runJobs, syncStripeJob, type Job } from '../../jobs/index.ts'
import type { Clock, Log } from '../../kernel/index.ts'
import { postgresLimiter, quotaChannel, rateStore, redisLimiter } from '../../quota/index.ts'
import type { Upstream } from '../../routing/index.ts'
import { buryDeadJob, spoolPath, type Graveyard } from './bury-dead.ts'
import { callersBehind } from './callers.ts'
import { provideNodeCedar } from './cedar.ts'
import { readPeppers, type Config } from './config.ts'
import { readHome } from './home.ts'
import { guardedFetch } from './fetch-key-set.ts'
import { listen } from './listen.ts'
import { nodeMeter, type Watched } from './metrics.ts'
import { openListeners } from './open-listeners.ts'
import { hostInUrl } from './open-port.ts'
import { nodeClock, nodeHmac, nodeRandom } from './ports.ts'
import { connectRedis } from './redis.ts'
import { FileSpool } from './spool.ts'
import { nodeTransport } from './transport.ts'
import { nodeUpstream } from './upstream.ts'

/** A poll so often finds a "no" within a second even if its notification is lost. */
const directoryPollMs = 400

export interface ServeOptions {
  readonly config: Config
  /** The app role's connection string, and a role to take on when the login is another. */
  readonly databaseUrl: string
  readonly databaseRole: string | undefined
  readonly keyPepper: string
  /** What signs documents; without it there are none. */
  readonly signingKey: string | undefined
  /** Where deployments at `http://model-host.demo` really are. */
  readonly demoHostUrl: string | undefined
  readonly environment: NodeJS.ProcessEnv
  readonly log: Log
  /** What time it is; the machine's own, unless somebody fills a month that is over. */
  readonly clock?: Clock
}

export interface ServedGateway extends Watched {
  readonly port: number
  /** Undefined without TLS_PORT. */
  readonly tlsPort: number | undefined
  /** Takes no new calls, lets those in flight end, gives everything back. */
  stop(): Promise<void>
}

/**
 * One gateway process: data plane, notifications, jobs.
 * @throws Failure when the database cannot be reached or its role is too strong.
 */
export async function serveGateway(options: ServeOptions): Promise<ServedGateway> {
  const { config, log, clock = nodeClock } = options
  provideNodeCedar()
  const peppers = readPeppers(options.keyPepper)
  const database = openDatabase({
    url: options.databaseUrl,
    applicationName: 'formulary-gateway',
    tenantConnectionsMax: 6,
    systemConnectionsMax: 8,
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 10_000,
    ...(options.databaseRole === undefined ? {} : { role: options.databaseRole }),
  })
  await requireBoundRole(database)
  const disk = await findDisk(config, log)
  const upstream = nodeUpstream({ connectMs: 2_000, connectionsMax: 4_096 })
  const redis = config.REDIS_URL === undefined ? undefined : await connectRedis(config.REDIS_URL)
  const stripe = stripeDoor(config)
  if (config.STRIPE_WEBHOOK_SECRET !== undefined && stripe === undefined)
    log.warn('stripe.no_key', { advice: 'set STRIPE_SECRET_KEY: without it no event of Stripe’s is taken' })
  const keySets = guardedFetch({ isDevelopment: config.NODE_ENV !== 'production' })
  let issuer = config.PUBLIC_URL
  let mtlsUrl = config.MTLS_URL
  let stopping = false
  const open = new Set<Promise<unknown>>()
  const gateway = assembleGateway({
    platform: 'node',
    clock,
    random: nodeRandom,
    hmac: nodeHmac,
    log,
    meter: nodeMeter,
    database,
    rates: rateStore(
      redis === undefined ? postgresLimiter(plainNumbers(database.systemPool)) : redisLimiter(redis.client),
      (failure) => log.warn('rates.alone', { why: failure.message }),
    ),
    upstream: options.demoHostUrl === undefined ? upstream : toDemoHost(upstream, options.demoHostUrl),
    deferred: {
      defer(work) {
        const tracked: Promise<unknown> = work
          .catch((error: unknown) => log.error('deferred.failed', {}, error))
          .finally(() => open.delete(tracked))
        open.add(tracked)
      },
    },
    deadlines: { firstByteMs: config.FIRST_BYTE_SECONDS * 1000, idleMs: config.IDLE_SECONDS * 1000 },
    bodyBytesMax: config.BODY_BYTES_MAX,
    // Nobody is heard where no secret says who speaks.
    stripe: config.STRIPE_WEBHOOK_SECRET === undefined ? undefined : stripe,
    leaseSeconds: config.LEASE_SECONDS,
    place: disk === undefined ? undefined : { home: disk.home, pid: process.pid },
    spool: disk?.spool,
    memory: emptyMemory(),
    signingKey: options.signingKey,
    issuer: () => issuer,
    mtlsUrl: () => mtlsUrl,
    fetchKeySet: keySets.fetchKeySet,
    // The poll below keeps them fresh.
    staleAfterMs: Number.POSITIVE_INFINITY,
    pepper: (version) => peppers.find(version),
    credential: ({ credentialEnv }) => (credentialEnv === undefined ? undefined : options.environment[credentialEnv]),
    isStopping: () => stopping,
    soon: (work) => void setImmediate(work),
  })
  await gateway.directory.refresh()
  if (!gateway.directory.hasPolicies)
    log.error('policy.none_declared', {
      advice: 'every call is refused until formulary tenants apply has brought policies',
    })
  await gateway.lender.start({ keepAlive: true })

  const refresh = () => {
    gateway.directory.refresh().catch(() => log.warn('directory.refresh_failed'))
  }
  const poll = setInterval(refresh, directoryPollMs)
  const ears = listen({
    url: options.databaseUrl,
    channels: { formulary_directory: refresh, [quotaChannel]: (payload) => gateway.lender.notice(payload) },
    log,
    onGap: refresh,
  })
  const jobs = runJobs({ database, log }, [
    ...(disk === undefined ? [] : [buryDeadJob(disk)]),
    ...jobsFor({ leaseSeconds: config.LEASE_SECONDS, clock, isRunOnce: false }),
    ...stripeJobs(stripe),
  ])

  let callsOpen = 0
  const callers = callersBehind({
    trusted: config.TRUSTED_PROXIES,
    certificateHeader: config.CLIENT_CERTIFICATE_HEADER,
  })
  const listener = getRequestListener(createApp(gateway, nodeTransport(callers)).fetch, {
    overrideGlobalObjects: false,
  })
  const { port, tlsPort, close } = await openListeners(config, (incoming, outgoing) => {
    callsOpen++
    outgoing.once('close', () => callsOpen--)
    void listener(incoming, outgoing)
  })
  // In development nobody else stands before it.
  if (config.NODE_ENV !== 'production') {
    issuer ??= `http://${hostInUrl(config.HOST)}:${port}`
    if (tlsPort !== undefined) mtlsUrl ??= `https://${hostInUrl(config.HOST)}:${tlsPort}`
  }
  if (issuer === undefined) log.warn('tokens.none', { advice: 'set PUBLIC_URL to issue access tokens' })

  return {
    port,
    tlsPort,
    ledgerWaiting: () => gateway.ledger.waiting,
    ledgerSpooled: () => gateway.ledger.spooled,
    callsOpen: () => callsOpen,
    tenantsKnown: () => gateway.directory.tenantsKnown,
    async stop() {
      stopping = true
      await close(config.DRAIN_SECONDS)
      clearInterval(poll)
      await jobs.stop()
      await ears.stop()
      await Promise.allSettled(open)
      await gateway.ledger.drained()
      await gateway.entries.drained()
      await gateway.lender.stop().catch(() => log.warn('lender.stop_failed'))
      await upstream.close()
      await keySets.close()
      await redis?.close()
      await database.close()
    },
  }
}

/** Nothing without a key. */
function stripeDoor(config: Config): StripeDoor | undefined {
  const { STRIPE_SECRET_KEY: secretKey, STRIPE_API_BASE: apiBase, STRIPE_WEBHOOK_SECRET: secrets = '' } = config
  if (secretKey === undefined) return undefined
  return openStripeDoor({ secretKey, apiBase, webhookSecrets: readWebhookSecrets(secrets) ?? [] })
}

/** Another process may run the same job: lanes keep them apart. */
const stripeJobs = (stripe: StripeDoor | undefined): readonly Job[] =>
  stripe === undefined ? [] : [syncStripeJob({ sink: stripe.sink, holder: randomUUID(), clock: nodeClock })]

/** The spool of this process. A process that may write nowhere serves all the same, as long as the database does. */
async function findDisk(config: Config, log: Log): Promise<(Graveyard & { spool: FileSpool }) | undefined> {
  try {
    const home = await readHome(config.DATA_DIR)
    const folder = join(config.DATA_DIR, 'spool')
    const own = spoolPath(folder, { home, pid: process.pid, name: randomUUID() })
    return { home, folder, own, spool: new FileSpool(own, { bytesMax: config.SPOOL_BYTES_MAX }) }
  } catch (error) {
    log.error('spool.none', { dataDir: config.DATA_DIR }, error)
    return undefined
  }
}

/** A rate is worth no longer wait; its window is then counted in this process alone. */
const ratesPatienceMs = 1_000

/** rate-limiter-flexible counts in doubles, and reads its int8 column as what pg gives it: here the text that it expects. */
const plainNumbers = (pool: pg.Pool) => ({
  query(config: pg.QueryConfig) {
    const patient = { ...config, types: pg.types, query_timeout: ratesPatienceMs }
    return pool.query(patient)
  },
})

/** The declarations name the stand-in host by a name that no network knows; here it gets its real address. */
function toDemoHost(upstream: Upstream, demoHostUrl: string): Upstream {
  const named = 'http://model-host.demo'
  return {
    open: (request) =>
      upstream.open(
        request.url.startsWith(`${named}/`)
          ? { ...request, url: demoHostUrl + request.url.slice(named.length) }
          : request,
      ),
  }
}
