import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startModelHost, type Knobs, type ModelHost } from '../../infra/model-host/model-host.ts'
import { openDatabase, systemTransaction, type Database } from '../../src/db/index.ts'
import { createAdminToken, createKey, type Actor, type KeyMaking, type Role } from '../../src/identity/index.ts'
import { instant, type Log } from '../../src/kernel/index.ts'
import { readConfig } from '../../src/platform/node/config.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { serveGateway, type ServedGateway } from '../../src/platform/node/serve-gateway.ts'
import {
  applyDeclarations,
  declaredBy,
  formatProblem,
  readDeclarations,
  type DeclarationFile,
  type Problem,
} from '../../src/tenants/index.ts'
import { treeFor } from './declarations.ts'
import { cloneDatabase, type TestDatabase } from './postgres.ts'

export const testPepper = 'a pepper of the tests, and of nothing else: 0123456789'
export const testSigningKey = 'a signing key of the tests and of nothing else: 0123456789'
/** The secret of the deployment that has one. */
export const testHostKey = 'test-host-key-canary'

export const keyMaking: KeyMaking = {
  hmac: nodeHmac,
  pepper: { version: 1, secret: new TextEncoder().encode(testPepper) },
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
}

export interface House {
  /** The gateway's address, without a path. */
  readonly url: string
  readonly gateway: ServedGateway
  readonly host: ModelHost
  readonly dataDir: string
  readonly databases: TestDatabase
  /** As the app role; for looking into the ledger by `systemTransaction`. */
  readonly database: Database
  /** A key of an application, such as `lakeside/ehr`; made once, then the same. */
  key(application: string): Promise<string>
  /** A new key each time. */
  newKey(application: string, options?: { scopes?: readonly string[]; days?: number; at?: number }): Promise<string>
  /** Declares the tree anew with parts of its text replaced, as `formulary tenants apply` would. */
  declare(replace: Readonly<Record<string, (text: string) => string>>): Promise<void>
  /** Another gateway process' worth of the same house, in this process. */
  openAnother(): Promise<ServedGateway>
  stop(): Promise<void>
}

export interface HouseOptions {
  readonly replace?: Readonly<Record<string, (text: string) => string>>
  readonly knobs?: Partial<Knobs>
  readonly environment?: NodeJS.ProcessEnv
  readonly log?: Log
  /** What is in the database when the gateway opens, instead of the test tree. */
  readonly declared?: (database: Database, hostUrl: string) => Promise<void>
}

/** A house for a test: its own database, model host and gateway, over real sockets on free ports. Stop it. */
export async function openHouse(options: HouseOptions = {}): Promise<House> {
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0, ...options.knobs } })
  const databases = await cloneDatabase()
  const database = openTestDatabase(databases.appUrl)
  const declare = (replace: HouseOptions['replace']) => declareTree(database, host.url, replace)
  await (options.declared?.(database, host.url) ?? declare(options.replace))
  const environment = { TEST_HOST_KEY: testHostKey, ...options.environment }
  const dataDir = mkdtempSync(join(tmpdir(), 'formulary-house-'))
  const config = readConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    LEASE_SECONDS: '2',
    DRAIN_SECONDS: '5',
    ...options.environment,
  })
  const open = () =>
    serveGateway({
      config,
      databaseUrl: databases.appUrl,
      databaseRole: undefined,
      keyPepper: testPepper,
      signingKey: testSigningKey,
      demoHostUrl: undefined,
      environment,
      log: options.log ?? nodeLog('silent'),
    })
  const gateway = await open()
  const others: ServedGateway[] = []
  const keys = new Map<string, Promise<string>>()
  const newKey: House['newKey'] = (application, wish = {}) => mintKey(database, application, wish)
  return {
    url: `http://127.0.0.1:${gateway.port}`,
    gateway,
    host,
    dataDir,
    databases,
    database,
    declare,
    newKey,
    key(application) {
      const made = keys.get(application) ?? newKey(application)
      keys.set(application, made)
      return made
    },
    async openAnother() {
      const another = await open()
      others.push(another)
      return another
    },
    async stop() {
      await Promise.all([gateway, ...others].map((served) => served.stop()))
      await host.stop()
      await database.close()
      await databases.drop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

export const openTestDatabase = (url: string): Database =>
  openDatabase({
    url,
    applicationName: 'test',
    tenantConnectionsMax: 4,
    systemConnectionsMax: 4,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 30_000,
  })

/** Two people of the tests. */
export const reviewed = (now = Date.now()) =>
  declaredBy({ by: 'a test', approvedBy: 'its reviewer', now: instant(now) })

export const tester: Actor = { kind: 'command', name: 'a test', roles: ['owner-admin'], tenantId: undefined }

export async function declareTree(
  database: Database,
  hostUrl: string,
  replace?: HouseOptions['replace'],
): Promise<void> {
  const problems = await declareFiles(database, treeFor(hostUrl, replace))
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

/** As `formulary tenants apply`. Returns what it says when it refuses. */
export async function declareFiles(database: Database, files: readonly DeclarationFile[]): Promise<readonly string[]> {
  const told = (problems: readonly Problem[]) => problems.flatMap((problem) => formatProblem(problem, 'tenants'))
  const read = readDeclarations(files)
  if (!read.ok) return told(read.error)
  const applied = await applyDeclarations(database, read.value, reviewed())
  return applied.ok ? [] : told(applied.error)
}

export async function mintKey(
  database: Database,
  name: string,
  options: { scopes?: readonly string[]; days?: number; at?: number } = {},
): Promise<string> {
  const [tenant = '', application = ''] = name.split('/')
  const created = await systemTransaction(database, 'administer', (tx) =>
    createKey(tx, keyMaking, {
      tenant,
      application,
      scopes: options.scopes,
      days: options.days ?? 30,
      actor: tester,
      now: instant(options.at ?? Date.now()),
    }),
  )
  if (!created.ok) throw new Error(`no key for ${name}: ${created.error.reason}`)
  return created.value.key.text.reveal()
}

export async function mintAdminToken(
  database: Database,
  wish: {
    name: string
    roles: readonly Role[]
    tenant?: string | undefined
    scopes?: readonly string[] | undefined
    days?: number | undefined
    at?: number | undefined
  },
): Promise<string> {
  const { name, roles, tenant, scopes, days = 1, at = Date.now() } = wish
  const made = await systemTransaction(database, 'administer', (tx) =>
    createAdminToken(tx, keyMaking, { name, roles, tenant, scopes, days, actor: tester, now: instant(at) }),
  )
  if (!made.ok) throw new Error(made.error.reason)
  return made.value.text.reveal()
}
