import { err, ok, type Hmac, type Instant, type Proven, type Result, type Uuid } from '../kernel/index.ts'
import type { Audience, Purpose, TenantKind } from './words.ts'
import { parseApiKey } from './api-key.ts'
import type { Scope } from './scope.ts'

export interface TenantFacts {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly kind: TenantKind
  readonly endedAt: Instant | undefined
}

export interface FacilityFacts {
  readonly facility: string
  readonly region: string
}

export interface ApplicationFacts {
  readonly application: string
  readonly audience: Audience
  /** In the declared order: the first is where a call belongs that names none. Ended facilities are not in it. */
  readonly facilities: readonly FacilityFacts[]
  readonly purposes: readonly Purpose[]
  readonly scopes: readonly Scope[]
  readonly endedAt: Instant | undefined
}

export interface KeyFacts {
  readonly keyId: string
  readonly tenant: TenantFacts
  readonly application: ApplicationFacts
  readonly secretHmac: Uint8Array
  readonly pepperVersion: number
  /** A subset of the application's. */
  readonly scopes: readonly Scope[]
  readonly expiresAt: Instant
  readonly revokedAt: Instant | undefined
}

/** Who a credential proved to be. */
export type Principal = Proven<
  'Principal',
  {
    readonly tenant: TenantFacts
    readonly application: ApplicationFacts
    readonly keyId: string
    readonly scopes: readonly Scope[]
  }
>

export type IdentityRefusal =
  | { reason: 'credential_missing' }
  /** Not a key, mistyped, unknown, or with the wrong secret: one answer for all, so that nothing can be found out. */
  | { reason: 'credential_invalid'; detail: 'malformed' | 'unknown' | 'wrong_secret' | 'application_ended' }
  /** Said only to a caller who knew the secret. */
  | { reason: 'credential_expired'; keyId: string; expiredAt: Instant }
  | { reason: 'credential_revoked'; keyId: string; revokedAt: Instant }

export interface IdentityNeeds {
  readonly hmac: Hmac
  /** The pepper of a version; undefined when this process does not have it. */
  pepper(version: number): Uint8Array | undefined
  findKey(keyId: string): KeyFacts | undefined
  /** For an id that is not known here: look at the database, unless somebody just did. A new key works at once. */
  findKeyAgain(keyId: string): Promise<KeyFacts | undefined>
}

/**
 * Turns an Authorization header into a principal. An unknown key and a wrong secret take the same work and get the same
 * answer, and neither writes anything.
 */
export async function authenticate(
  needs: IdentityNeeds,
  authorization: string | undefined,
  now: Instant,
): Promise<Result<Principal, IdentityRefusal>> {
  if (authorization === undefined) return err({ reason: 'credential_missing' })
  const bearer = /^Bearer +(\S{1,512})$/i.exec(authorization)?.[1]
  if (bearer === undefined) return err({ reason: 'credential_missing' })
  const key = parseApiKey(bearer)
  if (key === undefined) return err({ reason: 'credential_invalid', detail: 'malformed' })

  const facts = needs.findKey(key.keyId) ?? (await needs.findKeyAgain(key.keyId))
  const pepper = needs.pepper(facts?.pepperVersion ?? 1) ?? noPepper
  const shown = secretHmac(needs.hmac, pepper, key.text.reveal())
  if (!needs.hmac.equal(shown, facts?.secretHmac ?? noHmac) || facts === undefined || pepper === noPepper)
    return err({ reason: 'credential_invalid', detail: facts === undefined ? 'unknown' : 'wrong_secret' })

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

/** What is stored of a key: HMAC-SHA-256 of its whole text under a pepper that the database does not hold. */
export const secretHmac = (hmac: Hmac, pepper: Uint8Array, key: string): Uint8Array => hmac.sha256(pepper, key)

const noHmac = new Uint8Array(32)
const noPepper = new Uint8Array(32)
