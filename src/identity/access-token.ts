import { importJWK, jwtVerify, SignJWT, type CryptoKey } from 'jose'
import { z } from 'zod'
import { assert, err, instant, ok, type Hmac, type Instant, type Result, type Uuid } from '../kernel/index.ts'
import type { AuthenticatedClient } from './assertion/authenticate-client.ts'
import type { Principal } from './principal.ts'
import { hasEnded, type ClientFacts } from './client.ts'
import { base64Url, readJws } from './jws.ts'
import { isScope, type Scope } from './scope.ts'
import { signingAlgorithm, type SigningKeys } from './signing-keys.ts'

/** RFC 9068, section 2.1: no token for another use is taken for one of these, nor one of these for a license document. */
const tokenType = 'at+jwt'
/** SMART 257, 262. */
export const tokenSeconds = 300
const tokenCharactersMax = 4_096
/** Our own clocks, on several machines. */
const clockSkewSeconds = 5

/**
 * What a token says (RFC 9068). `organization_id` and `purpose_of_use` are in the shape of UDAP. What it says of the
 * application is for those who read it; what holds is what is declared at the moment of the call.
 */
const TokenClaims = z.object({
  iss: z.string(),
  sub: z.string(),
  client_id: z.string(),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.uuid(),
  scope: z.string(),
  organization_id: z.string(),
  application: z.string(),
  facilities: z.array(z.string()),
  audience: z.string(),
  purpose_of_use: z.array(z.string()),
  /** Counts the client's changes. */
  client_revision: z.int(),
  /** What it is bound to: a key by DPoP (RFC 9449, section 6.1), a TLS certificate (RFC 8705, section 3.1), or both. */
  cnf: z.object({ jkt: z.string().optional(), 'x5t#S256': z.string().optional() }).optional(),
})
export type TokenClaims = z.infer<typeof TokenClaims>

export interface IssuedToken {
  readonly text: string
  readonly claims: TokenClaims
}

/** Issues a token to a client that was authenticated just now. The scopes are some of its application's. */
export async function issueToken(
  signing: SigningKeys,
  { facts }: AuthenticatedClient,
  wish: {
    issuer: string
    scopes: readonly Scope[]
    /** Of the key whose proof was shown. */
    thumbprint: string | undefined
    /** Of the certificate that was shown, when the client's tokens are bound to one. */
    certificate: string | undefined
    jti: Uuid
    now: Instant
  },
): Promise<IssuedToken> {
  const { clientId, tenant, application, profile, revision } = facts
  assert(
    wish.scopes.every((scope) => application.scopes.includes(scope)),
    'a token says no more than its application may',
  )
  const cnf = {
    ...(wish.thumbprint === undefined ? {} : { jkt: wish.thumbprint }),
    ...(wish.certificate === undefined ? {} : { 'x5t#S256': wish.certificate }),
  }
  const isBound = Object.keys(cnf).length > 0
  assert(profile !== 'fapi2' || isBound, 'a token of this profile is bound to its sender')
  const iat = Math.floor(wish.now / 1000)
  const claims: TokenClaims = {
    iss: wish.issuer,
    sub: clientId,
    client_id: clientId,
    aud: wish.issuer,
    iat,
    exp: iat + tokenSeconds,
    jti: wish.jti,
    scope: wish.scopes.join(' '),
    organization_id: tenant.tenant,
    application: application.application,
    facilities: application.facilities.map(({ facility }) => facility),
    audience: application.audience,
    purpose_of_use: [...application.purposes],
    client_revision: revision,
    ...(isBound ? { cnf } : {}),
  }
  const text = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: signingAlgorithm, kid: signing.current.kid, typ: tokenType })
    .sign(signing.current.privateKey)
  return { text, claims }
}

export interface TokenNeeds {
  readonly hmac: Hmac
  /** Who signs tokens here, and for whom: both are this gateway. Undefined: there are none. */
  issuer(): string | undefined
  readonly signing: (() => Promise<SigningKeys>) | undefined
  findClient(clientId: string): ClientFacts | undefined
  findClientAgain(clientId: string): Promise<ClientFacts | undefined>
}

export type TokenRefusal =
  | { reason: 'token_expired'; expiredAt: Instant }
  /** For the log: a caller reads the same words for all of them. */
  | { reason: 'token_invalid'; detail: 'malformed' | 'signature' | 'claims' | 'client' | 'client_changed' | 'revoked' }

/** A token that holds now. Whether whoever shows it may is not said yet: see `checkPossession`. */
export interface HeldToken {
  readonly claims: TokenClaims
  readonly client: ClientFacts
  readonly principal: Principal
}

/**
 * Opens a token: signature, issuer, time, and then whether its client, application and tenant are still what they were. It
 * is verified here, and nobody is asked: a stranger's makes no look-up.
 */
export async function openToken(
  needs: TokenNeeds,
  text: string,
  now: Instant,
): Promise<Result<HeldToken, TokenRefusal>> {
  const invalid = (detail: Extract<TokenRefusal, { detail: string }>['detail']) =>
    err({ reason: 'token_invalid', detail } as const)
  const issuer = needs.issuer()
  if (issuer === undefined || needs.signing === undefined) return invalid('malformed')
  const read = await readVerified(needs.hmac, await needs.signing(), text)
  if (!read.ok) return invalid(read.error)
  const { iss, aud, iat, exp, client_id: clientId } = read.value
  const nowSeconds = now / 1000
  if (iss !== issuer || aud !== issuer || iat > nowSeconds + clockSkewSeconds || exp - iat > tokenSeconds)
    return invalid('claims')
  if (exp <= nowSeconds) return err({ reason: 'token_expired', expiredAt: instant(exp * 1000) })

  const client = needs.findClient(clientId) ?? (await needs.findClientAgain(clientId))
  const gone = objectionToHolder(client, read.value, now)
  if (gone !== undefined || client === undefined) return invalid(gone ?? 'client')
  const { tenant, application } = client
  const scopes: readonly Scope[] = read.value.scope
    .split(' ')
    .filter(isScope)
    .filter((scope) => application.scopes.includes(scope))
  const token: Principal['token'] = { jti: read.value.jti, revision: read.value.client_revision }
  return ok({
    claims: read.value,
    client,
    principal: { tenant, application, keyId: clientId, scopes, token } as Principal,
  })
}

/** Why a token does not hold any more, though it was good. Also asked of an answer that is on its way. */
export function objectionToHolder(
  client: ClientFacts | undefined,
  token: { readonly jti: string; readonly client_revision: number },
  now: Instant,
): 'client' | 'client_changed' | 'revoked' | undefined {
  if (client === undefined) return 'client'
  if (hasEnded(client, now)) return 'client'
  if (client.revision !== token.client_revision) return 'client_changed'
  return client.revokedTokens.has(token.jti) ? 'revoked' : undefined
}

/**
 * Keys are imported once, and a token that was verified is not verified again: its time is looked at by whoever asks. The
 * token itself is not kept, but its digest.
 */
const digestKey = new TextEncoder().encode('formulary verified token')
const imported = new WeakMap<SigningKeys, Promise<ReadonlyMap<string, CryptoKey>>>()
const verified = new WeakMap<SigningKeys, Map<string, TokenClaims>>()
const verifiedMax = 10_000

async function readVerified(
  hmac: Hmac,
  signing: SigningKeys,
  text: string,
): Promise<Result<TokenClaims, 'malformed' | 'signature' | 'claims'>> {
  const known = verified.get(signing) ?? new Map<string, TokenClaims>()
  verified.set(signing, known)
  const digest = text.length > tokenCharactersMax ? '' : base64Url(hmac.sha256(digestKey, text))
  const seen = known.get(digest)
  if (seen !== undefined) return ok(seen)
  if (readJws(text, tokenCharactersMax) === undefined) return err('malformed')
  const payload = await verify(signing, text)
  if (payload === undefined) return err('signature')
  const claims = TokenClaims.safeParse(payload)
  if (!claims.success) return err('claims')
  if (known.size >= verifiedMax) known.clear()
  known.set(digest, claims.data)
  return ok(claims.data)
}

async function verify(signing: SigningKeys, text: string): Promise<unknown> {
  const keys = imported.get(signing) ?? importKeys(signing)
  imported.set(signing, keys)
  const byName = await keys
  try {
    const { payload } = await jwtVerify(
      text,
      ({ kid }) => byName.get(kid ?? '') ?? Promise.reject(new Error('unknown kid')),
      // Its time is ours to judge, by our own clock.
      {
        algorithms: [signingAlgorithm],
        typ: tokenType,
        currentDate: new Date(0),
        clockTolerance: Number.MAX_SAFE_INTEGER,
      },
    )
    return payload
  } catch {
    return undefined
  }
}

async function importKeys(signing: SigningKeys): Promise<ReadonlyMap<string, CryptoKey>> {
  const pairs = await Promise.all(
    signing.published.keys.map(async (jwk): Promise<[string, CryptoKey]> => {
      const key = await importJWK({ ...jwk }, signingAlgorithm)
      assert(!(key instanceof Uint8Array), 'an OKP key is no secret of bytes')
      return [jwk.kid, key]
    }),
  )
  return new Map(pairs)
}
