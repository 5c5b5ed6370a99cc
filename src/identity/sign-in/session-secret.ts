import type { Hmac } from '../../kernel/index.ts'
import { base64Url } from '../jws.ts'

/** What a session's cookie holds: 256 random bits and their HMAC, so that a made-up one costs no look at the database. */
export interface SessionSecret {
  readonly id: string
  /** `<id>.<HMAC>`, each in base64url. */
  readonly cookie: string
}

/** What signs cookies of the control plane. It comes from the pepper: a new one ends every session. */
export const cookieKey = (hmac: Hmac, pepper: Uint8Array): Uint8Array => hmac.sha256(pepper, 'formulary cookies')

export const mintSession = (hmac: Hmac, key: Uint8Array, random: Uint8Array): SessionSecret => {
  const id = base64Url(random)
  return { id, cookie: `${id}.${sealOf(hmac, key, id)}` }
}

/** The id in a cookie that we have made; undefined for everything else. */
export function readSession(hmac: Hmac, key: Uint8Array, cookie: string | undefined): string | undefined {
  const [, id, seal] = /^([\w-]{43})\.([\w-]{43})$/.exec(cookie ?? '') ?? []
  if (id === undefined || seal === undefined) return undefined
  return isSame(hmac, seal, sealOf(hmac, key, id)) ? id : undefined
}

/** What forms and scripts of the session's own pages send back; nobody else's page can know it. */
export const csrfTokenOf = (hmac: Hmac, key: Uint8Array, id: string): string =>
  base64Url(hmac.sha256(key, `csrf token ${id}`))

export const isSameCsrfToken = (hmac: Hmac, shown: string | undefined, expected: string): boolean =>
  isSame(hmac, shown ?? '', expected)

/** The database knows the session by it. */
export const digestOf = (hmac: Hmac, key: Uint8Array, secret: string): Uint8Array =>
  hmac.sha256(key, `digest of ${secret}`)

/**
 * `__Host-`: never from a subdomain, never over plain http (RFC 6265bis, section 4.1.3.2). A browser takes such a cookie over
 * TLS only, which development has none of.
 */
export const cookieNames = (isSecure: boolean): { readonly session: string; readonly attempt: string } => {
  const prefix = isSecure ? '__Host-' : ''
  return { session: `${prefix}formulary-session`, attempt: `${prefix}formulary-sign-in` }
}

const sealOf = (hmac: Hmac, key: Uint8Array, id: string): string => base64Url(hmac.sha256(key, `session ${id}`))
const isSame = (hmac: Hmac, a: string, b: string): boolean =>
  hmac.equal(new TextEncoder().encode(a), new TextEncoder().encode(b))
