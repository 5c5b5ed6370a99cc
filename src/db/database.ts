import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'
import { Failure, type Proven } from '../kernel/index.ts'
import { asFailure } from './constraint.ts'
import type { DB } from './schema.ts'

/**
 * An open transaction with its scope set. Only `tenantTransaction` and `systemTransaction` make one, and every store
 * function takes one, so that no query runs without somebody having said whose rows it may see.
 */
export type Tx = Proven<'Tx', Transaction<DB>>

export interface Database {
  /** Calls and administration on behalf of one tenant. Its connections know no scope until a transaction sets it. */
  readonly tenantPool: pg.Pool
  /** The gateway's own work: leases, the ledger's group commit, reading declarations. */
  readonly systemPool: pg.Pool
  readonly tenantKysely: Kysely<DB>
  readonly systemKysely: Kysely<DB>
  /** A pooler gives every transaction another connection: no scope but the transaction's own can be relied on. */
  readonly isBehindPooler: boolean
  close(): Promise<void>
}

// int8 arrives as bigint: tokens and money are never rounded to a double. numeric stays text, parsed where it is used.
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format),
}

export interface DatabaseOptions {
  /** The app role's connection string. */
  url: string
  applicationName: string
  /** Connections at most, for each of the two pools. */
  tenantConnectionsMax: number
  systemConnectionsMax: number
  connectTimeoutMs: number
  statementTimeoutMs: number
  /** A role to take on after connecting, when the login is not the app role itself. */
  role?: string
  /**
   * A pooler in transaction mode stands between, such as Hyperdrive. It refuses or forgets what a connection says at its
   * start: the scope is then set in every transaction, time is kept on this side, and the login must be the app role.
   */
  isBehindPooler?: boolean
}

/** Opens the two pools; connects on first use. Close it, or the process stays. */
export function openDatabase(options: DatabaseOptions): Database {
  const isBehindPooler = options.isBehindPooler ?? false
  const shared: pg.PoolConfig = {
    connectionString: options.url,
    types,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    ...(isBehindPooler
      ? { query_timeout: options.statementTimeoutMs }
      : {
          statement_timeout: options.statementTimeoutMs,
          // For a server that has stopped without a word and keeps no time.
          query_timeout: options.statementTimeoutMs + 2_000,
        }),
  }
  const role = options.role === undefined ? [] : [`-c role=${options.role}`]
  const atStart = (settings: readonly string[]) => (isBehindPooler ? {} : { options: settings.join(' ') })
  const tenantPool = new pg.Pool({ ...shared, max: options.tenantConnectionsMax, ...atStart(role) })
  const systemPool = new pg.Pool({
    ...shared,
    max: options.systemConnectionsMax,
    // The statements that calls wait for are planned once: their parameters never change which plan is best.
    ...atStart([...role, '-c app.system=on', '-c plan_cache_mode=force_generic_plan']),
  })
  // An idle connection that breaks is replaced on the next use; without a listener it would end the process.
  tenantPool.on('error', () => {})
  systemPool.on('error', () => {})
  // The same for one that breaks while it is in use: whoever waits for its answer is told by the answer.
  for (const pool of [tenantPool, systemPool]) pool.on('connect', (client) => client.on('error', () => {}))
  const tenantKysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool: tenantPool }) })
  const systemKysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool: systemPool }) })
  return {
    tenantPool,
    systemPool,
    tenantKysely,
    systemKysely,
    isBehindPooler,
    async close() {
      await Promise.all([tenantPool.end(), systemPool.end()])
    },
  }
}

/**
 * Refuses to serve as a role that row-level security does not bind.
 * @throws Failure when the database cannot be reached or the role is too strong.
 */
export async function requireBoundRole(database: Database): Promise<void> {
  const { rows } = await asFailure(() =>
    database.tenantPool.query<{ name: string; free: boolean; owns: boolean }>(
      `select current_user as name, rolsuper or rolbypassrls as free,
         exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'public' and pg_get_userbyid(c.relowner) = current_user) as owns
       from pg_roles where rolname = current_user`,
    ),
  )
  const role = rows[0]
  if (role === undefined || role.free || role.owns)
    throw new Failure(
      'database',
      `the database role ${role?.name ?? '?'} is not bound by row-level security; serve as formulary_app, which owns nothing`,
      { retryable: false },
    )
}
