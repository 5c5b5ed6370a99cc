import type { Instant } from '../../kernel/index.ts'
import { algorithmsOf, hasEnded, type ClientFacts } from '../client.ts'
import { readMembers, type Jws } from '../jws.ts'
import type { AssertionReason } from './reasons.ts'

/** What clocks may differ by. A jti is remembered for as long after the expiry. */
export const skewSeconds = 30
/** SMART App Launch 2.2: five minutes. */
const lifetimeSecondsMax = 300
const jtiCharactersMax = 512

/** The claims of an assertion as it says them: nobody has verified it yet. */
export interface Claims {
  readonly iss: unknown
  readonly sub: unknown
  readonly aud: unknown
  readonly exp: unknown
  readonly nbf: unknown
  readonly iat: unknown
  readonly jti: unknown
}

export function readClaims(jws: Jws): Claims | undefined {
  const members = readMembers(jws.payload)
  if (members === undefined) return undefined
  const { iss, sub, aud, exp, nbf, iat, jti } = members
  return { iss, sub, aud, exp, nbf, iat, jti }
}

/** Where an assertion may be meant for. */
export interface Audiences {
  readonly issuer: string
  readonly tokenUrl: string
}

/** Everything that is wrong with an assertion of a client, but its signature and whether it was shown before. Pure. */
export function checkAssertion(
  jws: Jws,
  claims: Claims,
  against: { client: ClientFacts; audiences: Audiences; now: Instant },
): readonly AssertionReason[] {
  const { client, audiences, now } = against
  return [
    ...checkHeader(jws.header, client),
    ...checkClaims(claims, client, audiences, now),
    ...(hasEnded(client, now) ? (['client_ended'] as const) : []),
  ]
}

/** A header chooses among what was registered, and brings nothing: no key, no address, no extension. */
function checkHeader(header: Jws['header'], client: ClientFacts): readonly AssertionReason[] {
  const { alg, kid, typ, jku, crit } = header
  const reasons: AssertionReason[] = []
  if (!algorithmsOf(client.profile).some((allowed) => allowed.alg === alg)) reasons.push('algorithm_not_allowed')
  if (!typesOf[client.profile].has(typ)) reasons.push('type_wrong')
  if (typeof kid !== 'string' || kid === '') reasons.push('key_name_missing')
  if (keyMembers.some((member) => header[member] !== undefined)) reasons.push('key_in_header')
  if (jku !== undefined && !('url' in client.keys && jku === client.keys.url)) reasons.push('key_address_foreign')
  if (crit !== undefined || header['b64'] !== undefined) reasons.push('critical_header')
  return reasons
}

/** SMART fixes `JWT`. Under FAPI the header is often absent, and rfc7523bis brings a type of its own. */
const typesOf: Readonly<Record<ClientFacts['profile'], ReadonlySet<unknown>>> = {
  smart: new Set(['JWT']),
  fapi2: new Set([undefined, 'JWT', 'client-authentication+jwt']),
}
const keyMembers = ['jwk', 'x5c', 'x5u', 'x5t', 'x5t#S256']

function checkClaims(
  { iss, sub, aud, exp, nbf, iat, jti }: Claims,
  client: ClientFacts,
  { issuer, tokenUrl }: Audiences,
  now: Instant,
): readonly AssertionReason[] {
  const reasons: AssertionReason[] = []
  if (iss !== client.clientId) reasons.push('issuer_wrong')
  if (sub !== client.clientId) reasons.push('subject_wrong')
  if (!isOnly(aud, client.profile === 'smart' ? tokenUrl : issuer)) reasons.push('audience_wrong')
  reasons.push(...checkTimes({ exp, nbf, iat }, now / 1000))
  if (typeof jti !== 'string' || jti === '' || jti.length > jtiCharactersMax) reasons.push('jti_missing')
  return reasons
}

/** A list of one is the same as that one; a second audience could show the assertion to us. */
const isOnly = (aud: unknown, wanted: string): boolean =>
  aud === wanted || (Array.isArray(aud) && aud.length === 1 && aud[0] === wanted)

function checkTimes(
  { exp, nbf, iat }: Pick<Claims, 'exp' | 'nbf' | 'iat'>,
  nowSeconds: number,
): readonly AssertionReason[] {
  const reasons: AssertionReason[] = []
  if (!isNumericDate(exp)) reasons.push('expiry_missing')
  else if (exp + skewSeconds <= nowSeconds) reasons.push('expired')
  else if (exp - skewSeconds > nowSeconds + lifetimeSecondsMax) reasons.push('expires_too_late')
  const isAhead = (time: unknown) => time !== undefined && (!isNumericDate(time) || time - skewSeconds > nowSeconds)
  if (isAhead(nbf) || isAhead(iat)) reasons.push('not_yet_valid')
  return reasons
}

/** RFC 7519, section 2. */
const isNumericDate = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
