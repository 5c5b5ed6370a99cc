import { systemTransaction } from '../../src/db/index.ts'
import {
  beginPersonsSession,
  cookieKey,
  cookieNames,
  digestOf,
  findProvider,
  mintSession,
  type Role,
} from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { keyMaking, type House } from './house.ts'

/** What a browser that is signed in has. */
export interface OpenedSession {
  readonly cookie: string
  readonly csrfToken: string
}

/** The words of a provider that nobody asks, for `tenant.yaml`. */
export const quietProvider = (...roles: readonly Role[]): string => `signIn:
  issuer: https://idp.test
  clientId: formulary
  groupsClaim: groups
  roles: { ${roles.map((role) => `${role}: ${role}`).join(', ')} }
`

/** The session that a sign-in would have begun, without the way through the provider. */
export async function openSession(
  house: Pick<House, 'database'>,
  adminUrl: string,
  who: { tenant: string; subject: string; role: Role },
): Promise<OpenedSession> {
  const { hmac, pepper } = keyMaking
  const key = cookieKey(hmac, pepper.secret)
  const secret = mintSession(hmac, key, keyMaking.randomBytes(32))
  await systemTransaction(house.database, 'administer', async (tx) => {
    const facts = await findProvider(tx, { tenant: who.tenant })
    if (facts === undefined) throw new Error(`${who.tenant} has no provider`)
    const person = { issuer: facts.issuer, subject: who.subject, shownAs: who.subject, roles: [who.role] }
    const session = { secretSha256: digestOf(hmac, key, secret.id), now: instant(Date.now()) }
    await beginPersonsSession(tx, session, { facts, person, attemptSha256: keyMaking.randomBytes(32) })
  })
  const cookie = `${cookieNames(false).session}=${secret.cookie}`
  const told = await fetch(`${adminUrl}/admin/v1/session`, { headers: { cookie } })
  const { csrf_token: csrfToken } = (await told.json()) as { csrf_token: string }
  return { cookie, csrfToken }
}
