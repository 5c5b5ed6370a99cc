import { plusMs, type Hmac, type Instant } from '../../kernel/index.ts'
import { base64Url } from '../jws.ts'

/**
 * A sign-in on its way through a provider. It is in the browser's cookie, signed, and nothing of it is kept here: whoever
 * never comes back has cost nothing. What the provider must not choose and the browser need not know (state, nonce, the
 * verifier of PKCE) is made from its random number under our key.
 */
export interface Attempt {
  /** Whose provider it is at. An answer that arrives at another's address is refused (RFC 9700, section 4.4.2). */
  readonly tenant: string
  /** 32 octets in base64url. */
  readonly random: string
  /** Where in the console it was going. */
  readonly to: string
  readonly endsAt: Instant
}

export const attemptSeconds = 600

/** A new one; `random` is 32 octets. */
export const beginAttempt = (wish: { tenant: string; to: string; random: Uint8Array; now: Instant }): Attempt => ({
  tenant: wish.tenant,
  random: base64Url(wish.random),
  to: wish.to,
  endsAt: plusMs(wish.now, attemptSeconds * 1000),
})

/** `<end, in seconds>.<random>.<tenant>.<to, in base64url>.<HMAC>` */
export function sealAttempt(hmac: Hmac, key: Uint8Array, attempt: Attempt): string {
  const { tenant, random, to, endsAt } = attempt
  const text = `${Math.floor(endsAt / 1000)}.${random}.${tenant}.${base64Url(new TextEncoder().encode(to))}`
  return `${text}.${sealOf(hmac, key, text)}`
}

/** Undefined for one that was tampered with, that another key sealed, or that took too long. */
export function openAttempt(
  hmac: Hmac,
  key: Uint8Array,
  cookie: string | undefined,
  now: Instant,
): Attempt | undefined {
  const grammar = /^((\d{1,12})\.([\w-]{43})\.([a-z0-9-]{1,64})\.([\w-]{0,2000}))\.([\w-]{43})$/
  const [, text, end, random, tenant, to, seal] = grammar.exec(cookie ?? '') ?? []
  if (text === undefined || random === undefined || tenant === undefined || seal === undefined) return undefined
  const isOurs = hmac.equal(octetsIn(seal), octetsIn(sealOf(hmac, key, text)))
  const endsAt = (Number(end) * 1000) as Instant
  if (!isOurs || now >= endsAt) return undefined
  const path = atob((to ?? '').replaceAll('-', '+').replaceAll('_', '/'))
  return { tenant, random, to: new TextDecoder().decode(Uint8Array.from(path, (one) => one.charCodeAt(0))), endsAt }
}

/** State (RFC 6749, section 10.12), nonce (OpenID Connect Core, section 3.1.2.1) and verifier (RFC 7636) of an attempt. */
export function secretsOf(
  hmac: Hmac,
  key: Uint8Array,
  { random }: Pick<Attempt, 'random'>,
): { readonly state: string; readonly nonce: string; readonly verifier: string } {
  const made = (what: string) => base64Url(hmac.sha256(key, `sign-in ${what} ${random}`))
  return { state: made('state'), nonce: made('nonce'), verifier: made('verifier') }
}

const sealOf = (hmac: Hmac, key: Uint8Array, text: string): string =>
  base64Url(hmac.sha256(key, `sign-in attempt ${text}`))

const octetsIn = (text: string): Uint8Array => new TextEncoder().encode(text)
