import { createServer } from 'node:http'
import { startModelHost, type ModelHost } from '../../infra/model-host/model-host.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import {
  declareTree,
  mintKey,
  openHouse,
  openTestDatabase,
  testHostKey,
  testPepper,
  testSigningKey,
  type HouseOptions,
} from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { cloneDatabase } from '../support/postgres.ts'
import { serveWorker, type Bundle, type ServedWorker } from './workerd.ts'

/** The same house on one of the runtimes: its own database and model host, the same declarations. */
export interface Runtime {
  readonly name: 'node' | 'workerd'
  /** Without a slash at its end. */
  readonly url: string
  readonly host: ModelHost
  /** As the app role; for looking into the tables. */
  readonly database: Database
  /** The key of an application, such as `lakeside/ehr`. */
  key(application: string): string
  /** Resolves when no call is in flight; on Workers also nothing is lent and no instance is left. */
  atRest(): Promise<void>
  stop(): Promise<void>
}

export const bodyBytesMax = 1_048_576

/** The applications whose keys the cases use. They are made before the first call. */
const applications = ['lakeside/ehr', 'lakeside/reader', 'lakeside/portal', 'prairie/trial', 'clinic/bench']

/** Small limits for the cases about them, and a host that redirects; all else is as wide as the test tree says. */
const replaceFor = (redirecting: RedirectingHost) => ({
  'policies/licensed-use.cedar': (text: string) => `${text}
@id("bench-tests-what-is-new") @reason("The bench tests what is new.")
forbid (principal == Application::"clinic/bench", action, resource == ModelVersion::"scribe@1.1.0");
`,
  'models/scribe.yaml': (text: string) =>
    text.replace('"MODEL-HOST/v1", model: scribe-1-1', `"${redirecting.url}", model: scribe-1-1`),
  'prairie/license.yaml': (text: string) =>
    text.replace(
      '{ meter: tokens, limit: 1000000000, per: month, overage: deny }',
      '{ meter: requests, limit: 5, per: month, overage: deny }',
    ),
  'clinic/license.yaml': (text: string) => text.replace('requestsPerMinute: 1000000', 'requestsPerMinute: 40'),
})

interface RedirectingHost {
  readonly url: string
  stop(): Promise<void>
}

/** A model host that sends everybody elsewhere, and the credential with them if they follow. */
async function startRedirectingHost(): Promise<RedirectingHost> {
  const server = createServer((_request, response) => response.writeHead(302, { location: '/elsewhere' }).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP address')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export async function openNode(): Promise<Runtime> {
  const redirecting = await startRedirectingHost()
  const house = await openHouse({
    replace: replaceFor(redirecting),
    environment: { BODY_BYTES_MAX: String(bodyBytesMax) },
  })
  const { url, host, database } = house
  const key = await keysBy((application) => house.newKey(application))
  return {
    name: 'node',
    url,
    host,
    database,
    key,
    async atRest() {
      await until('every row is on its way', 10_000, () => Promise.resolve(house.gateway.ledgerWaiting() === 0))
      await emptied(database, ['reservation', 'usage_batch'])
    },
    async stop() {
      await house.stop()
      await redirecting.stop()
    },
  }
}

export interface Workerd extends Runtime {
  /** All keys, as text. */
  readonly keys: readonly string[]
  readonly served: ServedWorker
  /** The app role's database. */
  readonly databaseUrl: string
  /** The same, as the owner of the tables. */
  readonly ownerUrl: string
}

export async function openWorkerd(
  bundle: Bundle,
  texts: Readonly<Record<string, string>> = {},
  replace: HouseOptions['replace'] = {},
): Promise<Workerd> {
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
  const databases = await cloneDatabase()
  const database = openTestDatabase(databases.appUrl)
  const redirecting = await startRedirectingHost()
  await declareTree(database, host.url, { ...replaceFor(redirecting), ...replace })
  const key = await keysBy((application) => mintKey(database, application))
  const served = await serveWorker(bundle, { texts: { ...workerTexts, ...texts }, databaseUrl: databases.appUrl })
  return {
    name: 'workerd',
    url: served.url,
    host,
    database,
    served,
    databaseUrl: databases.appUrl,
    ownerUrl: databases.ownerUrl,
    key,
    keys: applications.map(key),
    atRest: () => emptied(database, ['reservation', 'usage_batch', 'budget_lease', 'instance']),
    async stop() {
      await served.stop()
      await host.stop()
      await redirecting.stop()
      await database.close()
      await databases.drop()
    },
  }
}

/** The Worker's variables and secrets. */
export const workerTexts = {
  KEY_PEPPER: testPepper,
  SIGNING_KEY: testSigningKey,
  TEST_HOST_KEY: testHostKey,
  BODY_BYTES_MAX: String(bodyBytesMax),
}

async function keysBy(mint: (application: string) => Promise<string>): Promise<(application: string) => string> {
  const keys = new Map<string, string>()
  for (const application of applications) keys.set(application, await mint(application))
  return (application) => keys.get(application) ?? ''
}

const emptied = (
  database: Database,
  tables: readonly ('reservation' | 'usage_batch' | 'budget_lease' | 'instance')[],
): Promise<void> =>
  until(`${tables.join(', ')} empty`, 10_000, () =>
    systemTransaction(database, 'maintain', async (tx) => {
      for (const table of tables) {
        const rows = await tx.selectFrom(table).select('instance_id').limit(1).execute()
        if (rows.length > 0) return false
      }
      return true
    }),
  ).then(() => {})
