import { err, ok, type Hmac, type Instant, type Result } from '../kernel/index.ts'
import { openToken, type TokenNeeds, type TokenRefusal } from './access-token.ts'
import { apiKeyPrefix, parseApiKey, type ApiKey } from './api-key.ts'
import { checkPossession, type PossessionRefusal, type ProofNeeds } from './check-possession.ts'
import type { KeyFacts, Principal } from './principal.ts'
import { windowSeconds, type RefusedAddresses } from './refused-addresses.ts'

export type IdentityRefusal =
  | { reason: 'credential_missing' }
  /** Not a key, mistyped, unknown, or with the wrong secret: one answer for all, so that nothing can be found out. */
  | { reason: 'credential_invalid'; detail: 'malformed' | 'unknown' | 'wrong_secret' | 'application_ended' }
  /** Said only to a caller who knew the secret. */
  | { reason: 'credential_expired'; keyId: string; expiredAt: Instant }
  | { reason: 'credential_revoked'; keyId: string; revokedAt: Instant }
  /** Wrong, like so many before it from the same network. */
  | { reason: 'refused_too_often'; retryAfterSeconds: number }
  | TokenRefusal
  | PossessionRefusal

export interface IdentityNeeds extends TokenNeeds, ProofNeeds {
  readonly hmac: Hmac
  /** The pepper of a version; undefined when this process does not have it. */
  pepper(version: number): Uint8Array | undefined
  findKey(keyId: string): KeyFacts | undefined
  /** For an id that is not known here: look at the database, unless somebody just did. A new key works at once. */
  findKeyAgain(keyId: string): Promise<KeyFacts | undefined>
  readonly refusedAddresses: RefusedAddresses
}

/** What a request shows of who it is from. */
export interface Credential {
  readonly authorization: string | undefined
  readonly proof: string | undefined
  /** Thumbprint of the TLS certificate that the caller has proved to hold (`x5t#S256`). */
  readonly certificate: string | undefined
  /** Where it came from; undefined when that is not known. */
  readonly address: string | undefined
  readonly method: string
  /** Without origin and query. */
  readonly path: string
}

/**
 * Turns what a request shows into a principal: an API key, or an access token. Nothing that a stranger shows is written
 * anywhere.
 */
export async function authenticate(
  needs: IdentityNeeds,
  { authorization, ...shown }: Credential,
  now: Instant,
): Promise<Result<Principal, IdentityRefusal>> {
  const credential = /^(Bearer|DPoP) +(\S{1,4096})$/i.exec(authorization ?? '')
  const [, scheme = '', text = ''] = credential ?? []
  if (credential === null) return err({ reason: 'credential_missing' })
  const isBearer = scheme.toLowerCase() === 'bearer'
  if (isBearer && !looksLikeToken(text)) return authenticateKey(needs, { text, address: shown.address }, now)
  const held = await openToken(needs, text, now)
  if (!held.ok) return held
  const presented = { scheme: isBearer ? 'bearer' : 'dpop', text, ...shown } as const
  const possession = await checkPossession(needs, held.value, presented, now)
  return possession.ok ? ok(held.value.principal) : possession
}

/** Three parts with two dots between them; a key has none. */
const looksLikeToken = (text: string): boolean => !text.startsWith(apiKeyPrefix) && text.split('.').length === 3

/**
 * An unknown key and a wrong secret take the same work, wait for the same look at the database and get the same answer, and
 * neither writes anything.
 */
async function authenticateKey(
  needs: IdentityNeeds,
  shown: { text: string; address: string | undefined },
  now: Instant,
): Promise<Result<Principal, IdentityRefusal>> {
  const key = parseApiKey(shown.text)
  if (key === undefined) return err({ reason: 'credential_invalid', detail: 'malformed' })

  const known = needs.findKey(key.keyId)
  const facts = isProved(needs, key, known) ? known : await lookForKey(needs, key, shown.address)
  if (facts === 'refused too often') return err({ reason: 'refused_too_often', retryAfterSeconds: windowSeconds })
  if (facts === undefined)
    return err({ reason: 'credential_invalid', detail: known === undefined ? 'unknown' : 'wrong_secret' })

  if (facts.revokedAt !== undefined && facts.revokedAt <= now)
    return err({ reason: 'credential_revoked', keyId: facts.keyId, revokedAt: facts.revokedAt })
  if (facts.expiresAt <= now)
    return err({ reason: 'credential_expired', keyId: facts.keyId, expiredAt: facts.expiresAt })
  const endedAt = facts.tenant.endedAt ?? facts.application.endedAt
  if (endedAt !== undefined && endedAt <= now) return err({ reason: 'credential_invalid', detail: 'application_ended' })

  return ok({
    tenant: facts.tenant,
    application: facts.application,
    keyId: facts.keyId,
    scopes: facts.scopes,
  } as Principal)
}

/** A key that was made a moment ago is not known yet. Whoever was refused too often is not looked up any more. */
async function lookForKey(
  needs: IdentityNeeds,
  key: ApiKey,
  address: string | undefined,
): Promise<KeyFacts | 'refused too often' | undefined> {
  if (needs.refusedAddresses.isOver(address, needs.monotonicMs())) return 'refused too often'
  const found = await needs.findKeyAgain(key.keyId)
  if (isProved(needs, key, found)) return found
  needs.refusedAddresses.note(address, needs.monotonicMs())
  return undefined
}

/** The same work, whether there is such a key or not. */
function isProved(needs: IdentityNeeds, key: ApiKey, facts: KeyFacts | undefined): facts is KeyFacts {
  const pepper = needs.pepper(facts?.pepperVersion ?? 1) ?? noPepper
  const shown = secretHmac(needs.hmac, pepper, key.text.reveal())
  return needs.hmac.equal(shown, facts?.secretHmac ?? noHmac) && facts !== undefined && pepper !== noPepper
}

/** What is stored of a key: HMAC-SHA-256 of its whole text under a pepper that the database does not hold. */
export const secretHmac = (hmac: Hmac, pepper: Uint8Array, key: string): Uint8Array => hmac.sha256(pepper, key)

const noHmac = new Uint8Array(32)
const noPepper = new Uint8Array(32)
