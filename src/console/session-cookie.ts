import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { systemTransaction } from '../db/index.ts'
import {
  attemptSeconds,
  authenticateSession,
  cookieNames,
  digestOf,
  isCrossSite,
  mintSession,
  sessionSecondsMax,
  type ShownSession,
} from '../identity/index.ts'
import type { SignInNeeds } from './sign-in-needs.ts'

// Lax, not Strict: who comes back from a provider comes from another site, and would not be known on the first page. A
// request that changes something has a token of the session besides.
const attributes = (isSecure: boolean) => ({ httpOnly: true, sameSite: 'Lax', path: '/', secure: isSecure }) as const

/** Who is signed in. @throws Failure when the database cannot be reached. */
export function sessionOf(c: Context, needs: SignInNeeds): Promise<ShownSession | undefined> {
  const cookie = getCookie(c, cookieNames(needs.isSecure).session)
  if (cookie === undefined) return Promise.resolve(undefined)
  return systemTransaction(needs.database, 'administer', (tx) => authenticateSession(tx, needs, cookie, needs.now()))
}

/** A new secret for a session that begins: whatever the browser showed before is not taken over. */
export function newSecret(needs: SignInNeeds): { cookie: string; sha256: Uint8Array } {
  const { hmac, cookieKey } = needs
  const { id, cookie } = mintSession(hmac, cookieKey, needs.randomBytes(32))
  return { cookie, sha256: digestOf(hmac, cookieKey, id) }
}

export const setSessionCookie = (c: Context, { isSecure }: SignInNeeds, cookie: string): void =>
  setCookie(c, cookieNames(isSecure).session, cookie, { ...attributes(isSecure), maxAge: sessionSecondsMax })

export function clearSessionCookie(c: Context, { isSecure }: SignInNeeds): void {
  deleteCookie(c, cookieNames(isSecure).session, attributes(isSecure))
}

export const setAttemptCookie = (c: Context, { isSecure }: SignInNeeds, cookie: string): void =>
  setCookie(c, cookieNames(isSecure).attempt, cookie, { ...attributes(isSecure), maxAge: attemptSeconds })

/** The attempt that the browser brings back; it is taken from it, whatever comes of it. */
export function takeAttemptCookie(c: Context, { isSecure }: SignInNeeds): string | undefined {
  const { attempt } = cookieNames(isSecure)
  const cookie = getCookie(c, attempt)
  if (cookie !== undefined) deleteCookie(c, attempt, attributes(isSecure))
  return cookie
}

/** Whether a form comes from a page of the console. */
export const isFromHere = (c: Context, needs: SignInNeeds): boolean =>
  !isCrossSite({
    origin: c.req.header('origin'),
    site: c.req.header('sec-fetch-site'),
    host: c.req.header('host'),
    publicUrl: needs.adminUrl(),
  })
