import { compactVerify, importJWK, SignJWT } from 'jose'
import { z } from 'zod'
import { err, instant, isoOf, ok, type Instant, type Result } from '../kernel/index.ts'
import { signingAlgorithm, type SigningKeys } from '../identity/index.ts'
import { graceEnd, licenseState, type LicenseFacts, type LicenseRevision } from './license.ts'
import { Terms } from './terms.ts'

/**
 * A license as a document that its holder can show and anybody can check with the published keys and nothing else:
 * a compact JWS (RFC 7515), EdDSA, with a type of its own, so that no other token of ours passes for one.
 */
export const licenseType = 'formulary-license+jwt'
export const revocationsType = 'formulary-revocations+jwt'
/** A list of revocations is good for a day: who checks against an older one has to fetch a new one. */
export const revocationsSeconds = 86_400

const seconds = (at: Instant): number => Math.floor(at / 1000)

export const LicenseClaims = z.strictObject({
  /** The owner of the models. */
  iss: z.string(),
  /** The tenant. */
  sub: z.string(),
  /** `<serial>/<revision>`. */
  jti: z.string(),
  iat: z.int(),
  nbf: z.int(),
  exp: z.int(),
  /** The number on the contract. */
  serial: z.string(),
  revision: z.int(),
  evaluation: z.boolean(),
  facilities: z.array(z.string()),
  terms: Terms,
})
export type LicenseClaims = z.infer<typeof LicenseClaims>

const RevocationClaims = z.strictObject({
  iss: z.string(),
  /** The tenant whose licenses it is about; absent: everybody's. It says nothing of others. */
  sub: z.string().optional(),
  iat: z.int(),
  exp: z.int(),
  /** A license that is not listed is not revoked. Of one that was amended the revisions below are. */
  revoked: z.array(z.strictObject({ serial: z.string(), state: z.string(), below: z.int().optional() })),
})
export type RevocationClaims = z.infer<typeof RevocationClaims>

/** The document of a revision: valid from the start of its term to the end of its grace. */
export function signLicense(
  keys: SigningKeys,
  license: {
    owner: string
    tenant: string
    serial: string
    revision: LicenseRevision
    facilities: readonly string[]
    now: Instant
  },
): Promise<string> {
  const { revision, serial } = license
  return signed(keys, licenseType, {
    iss: license.owner,
    sub: license.tenant,
    jti: `${serial}/${revision.revision}`,
    iat: seconds(license.now),
    nbf: seconds(revision.termStart),
    exp: seconds(graceEnd(revision)),
    serial,
    revision: revision.revision,
    evaluation: revision.evaluation,
    facilities: [...license.facilities],
    terms: revision.terms,
  } satisfies LicenseClaims)
}

/** Every license whose document says more than holds: ended, halted, or amended since. */
export function signRevocations(
  keys: SigningKeys,
  {
    owner,
    tenant,
    licenses,
    now,
  }: {
    owner: string
    /** When the licenses are those of one tenant only. */
    tenant: string | undefined
    licenses: readonly LicenseFacts[]
    now: Instant
  },
): Promise<string> {
  const revoked = licenses.flatMap((facts): RevocationClaims['revoked'] => {
    const last = facts.revisions.findLast(({ effectiveAt }) => effectiveAt <= now)
    if (last === undefined) return []
    const { state } = licenseState(facts, last, now)
    const isHalted = ['draft', 'suspended', 'revoked', 'terminated', 'transferred'].includes(state)
    if (isHalted) return [{ serial: facts.license, state }]
    return last.revision > 1 ? [{ serial: facts.license, state: 'amended', below: last.revision }] : []
  })
  const iat = seconds(now)
  const scope = tenant === undefined ? {} : { sub: tenant }
  return signed(keys, revocationsType, { iss: owner, ...scope, iat, exp: iat + revocationsSeconds, revoked })
}

const signed = (keys: SigningKeys, typ: string, claims: Record<string, unknown>): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: signingAlgorithm, kid: keys.current.kid, typ })
    .sign(keys.current.privateKey)

/** What the checker was given: the published keys, and perhaps a list of revocations. */
export interface Checking {
  readonly keys: { readonly keys: readonly unknown[] }
  readonly revocations: string | undefined
  readonly at: Instant
}

export type DocumentRefusal =
  | { reason: 'document_malformed' }
  | { reason: 'document_of_other_type'; type: string }
  | { reason: 'document_key_unknown' }
  | { reason: 'document_signature_wrong' }
  | { reason: 'document_not_yet_valid'; from: Instant }
  | { reason: 'document_expired'; at: Instant }
  | { reason: 'document_revoked'; state: string }
  | { reason: 'revocations_of_other_tenant'; tenant: string }
  | { reason: 'revocations_unusable'; because: DocumentRefusal['reason'] }

/**
 * Checks a license document offline. The algorithm and the type are ours to say, not the document's; the key is one of
 * those that were given; every byte is as it was written.
 */
export async function verifyLicense(
  document: string,
  checking: Checking,
): Promise<Result<LicenseClaims, DocumentRefusal>> {
  const opened = await open(document, licenseType, LicenseClaims, checking)
  if (!opened.ok) return opened
  const claims = opened.value
  if (seconds(checking.at) < claims.nbf)
    return err({ reason: 'document_not_yet_valid', from: instant(claims.nbf * 1000) })
  if (seconds(checking.at) >= claims.exp) return err({ reason: 'document_expired', at: instant(claims.exp * 1000) })
  if (checking.revocations === undefined) return ok(claims)
  const list = await open(checking.revocations, revocationsType, RevocationClaims, checking)
  if (!list.ok) return err({ reason: 'revocations_unusable', because: list.error.reason })
  if (seconds(checking.at) >= list.value.exp)
    return err({ reason: 'revocations_unusable', because: 'document_expired' })
  if (list.value.sub !== undefined && list.value.sub !== claims.sub)
    return err({ reason: 'revocations_of_other_tenant', tenant: list.value.sub })
  const entry = list.value.revoked.find(({ serial }) => serial === claims.serial)
  if (entry !== undefined && (entry.below === undefined || claims.revision < entry.below))
    return err({ reason: 'document_revoked', state: entry.state })
  return ok(claims)
}

/** A compact JWS of license size; nobody's verifier works for longer. */
const documentCharactersMax = 262_144
const Header = z.strictObject({ alg: z.literal(signingAlgorithm), kid: z.string(), typ: z.string() })
const VerifyKey = z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), kid: z.string() })

async function open<Claims>(
  document: string,
  type: string,
  schema: z.ZodType<Claims>,
  { keys }: Pick<Checking, 'keys'>,
): Promise<Result<Claims, DocumentRefusal>> {
  if (document.length > documentCharactersMax) return err({ reason: 'document_malformed' })
  const parts = document.split('.')
  // Base64url lets several texts stand for the same bytes; here there is one (RFC 4648, section 3.5).
  if (parts.length !== 3 || !parts.every(isCanonical)) return err({ reason: 'document_malformed' })
  const header = Header.safeParse(parseJson(parts[0] ?? ''))
  if (!header.success) return err({ reason: 'document_malformed' })
  if (header.data.typ !== type) return err({ reason: 'document_of_other_type', type: header.data.typ })
  const known = keys.keys.flatMap((key) => {
    const parsed = VerifyKey.safeParse(key)
    return parsed.success && parsed.data.kid === header.data.kid ? [parsed.data] : []
  })
  const [key] = known
  if (key === undefined || known.length > 1) return err({ reason: 'document_key_unknown' })
  try {
    const { kty, crv, x } = key
    await compactVerify(document, await importJWK({ kty, crv, x }, signingAlgorithm), {
      algorithms: [signingAlgorithm],
    })
  } catch {
    return err({ reason: 'document_signature_wrong' })
  }
  const claims = schema.safeParse(parseJson(parts[1] ?? ''))
  return claims.success ? ok(claims.data) : err({ reason: 'document_malformed' })
}

function isCanonical(part: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(part) || part.length % 4 === 1) return false
  const unused = { 0: 0, 2: 0b1111, 3: 0b11 }[part.length % 4] ?? 0
  return (base64url.indexOf(part.at(-1) ?? '') & unused) === 0
}
const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

function parseJson(part: string): unknown {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** For people. */
export function documentRefusalInWords(refusal: DocumentRefusal): string {
  switch (refusal.reason) {
    case 'document_malformed':
      return 'this is no license document, or it was changed'
    case 'document_of_other_type':
      return `this is a ${refusal.type}, not a ${licenseType}`
    case 'document_key_unknown':
      return 'it was signed by a key that is not among the published ones: fetch them anew'
    case 'document_signature_wrong':
      return 'the signature is wrong: it was changed, or somebody else made it'
    case 'document_not_yet_valid':
      return `it holds from ${isoOf(refusal.from)} on`
    case 'document_expired':
      return `it held until ${isoOf(refusal.at)}`
    case 'document_revoked':
      return `the license is ${refusal.state}: ask the licensing office for what holds now`
    case 'revocations_of_other_tenant':
      return `the list of revocations is about ${refusal.tenant} only: fetch the license holder’s own`
    case 'revocations_unusable':
      return `the list of revocations cannot be used (${refusal.because}): fetch it anew`
  }
}
