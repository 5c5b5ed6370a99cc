import type { Hmac, Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { csrfTokenOf, digestOf, readSession } from './sign-in/session-secret.ts'
import { findSession, type LiveSession } from './store-session.ts'

export interface ShownSession extends LiveSession {
  /** What a form or a script of the session's own pages has to send back. */
  readonly csrfToken: string
}

/**
 * Whose session a cookie is. Undefined for none, one that is not ours, an ended one, one that nobody used for too long, one
 * whose provider, tenant or token has gone. What we have not made is refused without a look-up.
 */
export async function authenticateSession(
  tx: Tx,
  needs: { readonly hmac: Hmac; readonly cookieKey: Uint8Array },
  cookie: string | undefined,
  now: Instant,
): Promise<ShownSession | undefined> {
  const { hmac, cookieKey } = needs
  const id = readSession(hmac, cookieKey, cookie)
  if (id === undefined) return undefined
  const found = await findSession(tx, digestOf(hmac, cookieKey, id), now)
  return found === undefined ? undefined : { ...found, csrfToken: csrfTokenOf(hmac, cookieKey, id) }
}
