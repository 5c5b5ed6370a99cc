import pg from 'pg'

/** Owns the database and brings its schema forward; serves no request. */
const OWNER = 'formulary_owner'
/** Serves; owns nothing, so that row-level security binds it. */
const APP = 'formulary_app'

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 60_000

export interface DatabaseUrls {
  readonly ownerUrl: string
  readonly appUrl: string
}

/**
 * Makes the two login roles and the database, or corrects them: passwords, attributes and privileges are as described
 * here afterwards, whatever they were. Doing it twice, or from two processes at once, is doing it once.
 * `adminUrl` is a superuser's, as of `startPostgres`.
 */
export async function ensureDatabase(options: {
  adminUrl: string
  database: string
  ownerPassword: string
  appPassword: string
}): Promise<DatabaseUrls> {
  await withAdmin(options.adminUrl, async (admin) => {
    // `create role` and `create database` know no "if not exists" that is safe against a second process.
    await admin.query("select pg_advisory_lock(hashtext('formulary.ensure_database'))")
    await ensureRole(admin, OWNER, options.ownerPassword)
    await ensureRole(admin, APP, options.appPassword)
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [options.database])
    const database = admin.escapeIdentifier(options.database)
    if (rowCount === 0) await admin.query(`create database ${database} owner ${OWNER} template template0`)
    else await admin.query(`alter database ${database} owner to ${OWNER}`)
    await restrict(admin, options.database)
  })
  return databaseUrls(options)
}

/** Makes `database` as a copy of `template`, with the same owner and privileges; the roles exist already. */
export async function cloneTemplate(options: {
  adminUrl: string
  database: string
  template: string
  ownerPassword: string
  appPassword: string
}): Promise<DatabaseUrls> {
  await withAdmin(options.adminUrl, async (admin) => {
    const [database, template] = [options.database, options.template].map((name) => admin.escapeIdentifier(name))
    await admin.query(`create database ${database} owner ${OWNER} template ${template} strategy wal_log`)
    // Privileges on a database are its own and not copied.
    await restrict(admin, options.database)
  })
  return databaseUrls(options)
}

/** Drops it with whoever is still connected. */
export async function dropDatabase(options: { adminUrl: string; database: string }): Promise<void> {
  await withAdmin(options.adminUrl, async (admin) => {
    await admin.query(`drop database if exists ${admin.escapeIdentifier(options.database)} with (force)`)
  })
}

async function ensureRole(admin: pg.Client, role: string, password: string): Promise<void> {
  const { rowCount } = await admin.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 0) await admin.query(`create role ${role}`)
  const attributes = 'login nosuperuser nobypassrls nocreatedb nocreaterole noreplication'
  await admin.query(`alter role ${role} ${attributes} password ${admin.escapeLiteral(password)}`)
}

/** Only the two roles may connect, and only the owner may make anything, temporary tables included. */
async function restrict(admin: pg.Client, name: string): Promise<void> {
  const database = admin.escapeIdentifier(name)
  await admin.query(`revoke all on database ${database} from public`)
  await admin.query(`revoke all on database ${database} from ${APP}`)
  await admin.query(`grant connect on database ${database} to ${APP}`)
}

async function withAdmin(adminUrl: string, work: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({
    connectionString: adminUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  })
  await admin.connect()
  try {
    await work(admin)
  } finally {
    // Ends the session, and with it the advisory lock.
    await admin.end()
  }
}

function databaseUrls(options: {
  adminUrl: string
  database: string
  ownerPassword: string
  appPassword: string
}): DatabaseUrls {
  const urlOf = (role: string, password: string) => {
    const url = new URL(options.adminUrl)
    url.username = role
    url.password = encodeURIComponent(password)
    url.pathname = `/${encodeURIComponent(options.database)}`
    return url.href
  }
  return { ownerUrl: urlOf(OWNER, options.ownerPassword), appUrl: urlOf(APP, options.appPassword) }
}
