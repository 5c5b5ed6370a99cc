import { openDatabase, type Database } from '../../db/index.ts'
import { StartError } from './start-error.ts'

export interface DatabaseLogins {
  readonly ownerUrl: string
  readonly appUrl: string
  /** Taken on after connecting, when the login is not the app role itself. */
  readonly role: string | undefined
}

/** A database of the operator's own: its login is the app role, or an owner's that takes the app role on. */
export function givenDatabase(url: string, ownerUrl: string | undefined): DatabaseLogins {
  const user = userOf('DATABASE_URL', url)
  if (ownerUrl === undefined)
    return { ownerUrl: url, appUrl: url, role: user === 'formulary_app' ? undefined : 'formulary_app' }
  userOf('DATABASE_OWNER_URL', ownerUrl)
  return { ownerUrl, appUrl: url, role: undefined }
}

function userOf(name: string, url: string): string {
  try {
    return decodeURIComponent(new URL(url).username)
  } catch {
    throw new StartError(`${name} is not a URL: write postgres://user:password@host:5432/database`)
  }
}

/** Opens the database for one piece of work. */
export async function withDatabase<T>(
  urls: Pick<DatabaseLogins, 'appUrl' | 'role'>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = openDatabase({
    url: urls.appUrl,
    applicationName: 'formulary-admin',
    tenantConnectionsMax: 2,
    systemConnectionsMax: 2,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 120_000,
    ...(urls.role === undefined ? {} : { role: urls.role }),
  })
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}
