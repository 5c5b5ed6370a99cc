import { createApp } from '../../app.ts'
import { openStripeDoor, readWebhookSecrets, type StripeDoor } from '../../billing/index.ts'
import { openDatabase, requireBoundRole, type Database } from '../../db/index.ts'
import { assembleGateway, emptyMemory, type Gateway, type Memory } from '../../gateway/index.ts'
import { Failure, type Log } from '../../kernel/index.ts'
import { databaseUrlOf, secretOf, type Config, type Env } from './config.ts'
import { fetchKeySet } from './fetch-key-set.ts'
import { OpenWork } from './open-work.ts'
import { workersClock, workersHmac, workersRandom } from './ports.ts'
import { workersRates } from './rates.ts'
import { followedTransport } from './transport.ts'
import { fetchUpstream } from './upstream.ts'

/** Nobody brings notifications here. What was confirmed longer ago is asked for again: a "no" is here within a second. */
const staleAfterMs = 500
/** Notes of changes are kept for a day. An isolate that slept longer than this reads everything. */
const forgetAfterMs = 3_600_000

/** What an isolate keeps from request to request. */
export interface Isolate {
  readonly config: Config
  readonly log: Log
  memory: Memory
  /** Row-level security was seen to bind the database role. */
  isRoleBound: boolean
}

export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

/**
 * One request: a gateway of its own over connections of its own, because workerd lets no request use another's sockets.
 * They are opened by the first statement and closed when everything has ended: after the answer, or long after `fetch`
 * has returned when a stream is relayed, or when its caller has left.
 */
export function serveRequest(
  isolate: Isolate,
  request: Request,
  platform: { env: Env; context: ExecutionContext },
): Promise<Response> {
  const { log } = isolate
  const work = new OpenWork(log)
  const database = openRequestDatabase(platform.env)
  const gateway = requestGateway(isolate, { database, env: platform.env, work })
  const answered = answer(isolate, { gateway, work, request })
  platform.context.waitUntil(closeAfter(answered, { gateway, work, database, log }))
  return answered
}

/** Connections of one request or one run of the jobs. A Worker may have six open at once, the model host's among them. */
export const openRequestDatabase = (env: Env): Database =>
  openDatabase({
    url: databaseUrlOf(env),
    applicationName: 'formulary-workers',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 2,
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 10_000,
    isBehindPooler: true,
  })

function requestGateway(isolate: Isolate, request: { database: Database; env: Env; work: OpenWork }): Gateway {
  const { config, log } = isolate
  const { database, env, work } = request
  const now = workersClock.monotonicMs()
  if (now - isolate.memory.known.confirmedAtMs > forgetAfterMs) isolate.memory = emptyMemory()
  const gateway = assembleGateway({
    platform: 'workers',
    clock: workersClock,
    random: workersRandom,
    hmac: workersHmac,
    log,
    // The log's lines carry the same figures; an Analytics Engine data set would be written here.
    meter: { callEnded() {} },
    database,
    rates: workersRates(database, log),
    upstream: fetchUpstream,
    deferred: work,
    deadlines: { firstByteMs: config.FIRST_BYTE_SECONDS * 1000, idleMs: config.IDLE_SECONDS * 1000 },
    bodyBytesMax: config.BODY_BYTES_MAX,
    stripe: config.STRIPE_WEBHOOK_SECRET === undefined ? undefined : stripeDoor(config),
    leaseSeconds: config.LEASE_SECONDS,
    place: undefined,
    spool: undefined,
    memory: isolate.memory,
    signingKey: config.SIGNING_KEY,
    issuer: () => config.PUBLIC_URL,
    mtlsUrl: () => config.MTLS_URL,
    fetchKeySet,
    staleAfterMs,
    pepper: (version) => config.peppers.find(version),
    credential: ({ credentialEnv }) => secretOf(env, credentialEnv),
    isStopping: () => false,
    soon: (next) => queueMicrotask(next),
  })
  gateway.lender.startWhenNeeded()
  return {
    ...gateway,
    async findKeyAgain(keyId) {
      await requireBoundRoleOnce(isolate, database)
      return gateway.findKeyAgain(keyId)
    },
    async findClientAgain(clientId) {
      await requireBoundRoleOnce(isolate, database)
      return gateway.findClientAgain(clientId)
    },
  }
}

/** Stripe, where there is a key for it. It keeps no connection: a request may make its own. */
export function stripeDoor(config: Config): StripeDoor | undefined {
  const { STRIPE_SECRET_KEY: secretKey, STRIPE_API_BASE: apiBase, STRIPE_WEBHOOK_SECRET: secrets = '' } = config
  if (secretKey === undefined) return undefined
  return openStripeDoor({ secretKey, apiBase, webhookSecrets: readWebhookSecrets(secrets) ?? [] })
}

/** The first look of an isolate at the database is at its role. @throws Failure when it is too strong. */
export async function requireBoundRoleOnce(isolate: Isolate, database: Database): Promise<void> {
  if (isolate.isRoleBound) return
  await requireBoundRole(database)
  isolate.isRoleBound = true
}

async function answer(
  isolate: Isolate,
  asked: { gateway: Gateway; work: OpenWork; request: Request },
): Promise<Response> {
  const { gateway, work, request } = asked
  if (new URL(request.url).pathname === '/readyz' && !(await canLook(isolate, gateway))) return notReady()
  return createApp(gateway, followedTransport(work)).fetch(request)
}

/** Whether the declarations can be read. Nothing else looks before the first key comes. */
async function canLook(isolate: Isolate, { database, directory, log }: Gateway): Promise<boolean> {
  try {
    await requireBoundRoleOnce(isolate, database)
    await directory.refresh()
    return true
  } catch (error) {
    if (error instanceof Failure) log.warn('directory.refresh_failed', { why: error.message })
    else log.error('directory.refresh_broke', {}, error)
    return false
  }
}

/** In the words in which the app says it. */
const notReady = (): Response =>
  Response.json({ status: 'declarations not loaded' }, { status: 503, headers: { 'retry-after': '2' } })

/**
 * Should this be cut off, as Workers do half a minute after a caller has left, the call's sign of life ends with it:
 * the sweeper settles the call and frees what it held.
 */
async function closeAfter(
  answered: Promise<Response>,
  open: { gateway: Gateway; work: OpenWork; database: Database; log: Log },
): Promise<void> {
  const { gateway, work, database, log } = open
  try {
    await answered.catch(() => {})
    await work.ended()
    await gateway.ledger.drained()
    await gateway.entries.drained()
    await gateway.lender.stop()
  } catch (error) {
    log.error('request.not_closed', {}, error)
  } finally {
    await database.close()
  }
}
