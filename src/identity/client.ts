import { z } from 'zod'
import type { Instant } from '../kernel/index.ts'
import type { ApplicationFacts, TenantFacts } from './principal.ts'

/**
 * What is asked of a client's assertions. `smart`: SMART App Launch 2.2, Backend Services, whose audience is the token
 * endpoint's URL. `fapi2`: FAPI 2.0 Security Profile, whose audience is the issuer, with tokens bound to their sender. A profile
 * takes one audience: accepting either would let a server that a client trusts less show us its assertion
 * (draft-ietf-oauth-rfc7523bis).
 */
export const profiles = ['smart', 'fapi2'] as const
export const Profile = z.enum(profiles)
export type Profile = z.infer<typeof Profile>

/** What a token of the profile `fapi2` is bound to: a key by DPoP (RFC 9449), or a TLS certificate (RFC 8705). */
export const SenderConstraint = z.enum(['dpop', 'mtls'])
export type SenderConstraint = z.infer<typeof SenderConstraint>

/** Base64url of the SHA-256 of a certificate's DER (RFC 8705, section 3.1): `x5t#S256`. */
export const CertificateThumbprint = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, 'base64url of the SHA-256 of the certificate in DER, 43 characters')
/** Of one client: the one in use, and those that follow it. */
export const clientCertificatesMax = 10

/** An algorithm and the one kind of key that it goes with. */
export interface Algorithm {
  readonly alg: string
  readonly kty: 'RSA' | 'EC' | 'OKP'
  readonly crv: 'P-256' | 'P-384' | 'Ed25519' | undefined
}

const algorithms: Readonly<Record<Profile, readonly Algorithm[]>> = {
  smart: [
    { alg: 'RS384', kty: 'RSA', crv: undefined },
    { alg: 'ES384', kty: 'EC', crv: 'P-384' },
  ],
  fapi2: [
    { alg: 'PS256', kty: 'RSA', crv: undefined },
    { alg: 'ES256', kty: 'EC', crv: 'P-256' },
    { alg: 'EdDSA', kty: 'OKP', crv: 'Ed25519' },
    // The same algorithm by its own name (RFC 9864).
    { alg: 'Ed25519', kty: 'OKP', crv: 'Ed25519' },
  ],
}
export const algorithmsOf = (profile: Profile): readonly Algorithm[] => algorithms[profile]

const Base64Url = z
  .string()
  .max(4_096)
  .regex(/^[A-Za-z0-9_-]+$/, 'base64url without padding')

/**
 * A public key (RFC 7517) with the members that are read here. `kid` is required: a signature is checked with the one key
 * that it names. What else stands in a key set of a client's own server is passed over.
 */
export const PublicJwk = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().min(1).max(256),
  use: z.string().max(64).optional(),
  key_ops: z.array(z.string().max(64)).max(16).optional(),
  alg: z.string().max(64).optional(),
  n: Base64Url.optional(),
  e: Base64Url.max(16).optional(),
  crv: z.string().max(64).optional(),
  x: Base64Url.optional(),
  y: Base64Url.optional(),
})
export type PublicJwk = z.infer<typeof PublicJwk>

/** RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1. Whoever shows one has given the key away. */
export const privateMembers: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])

export const rsaBitsMin = 2_048
/** Larger ones only cost time; whoever is verified by them chooses them. */
const rsaBitsMax = 8_192
/** Of one client. */
export const clientKeysMax = 20

/** Why a key cannot be what a client of a profile signs with, as the end of a sentence; undefined when it can. */
export const objectionToKey = (key: PublicJwk, profile: Profile): string | undefined =>
  objectionToKeyFor(key, algorithms[profile])

/** The same for a key of any owner, by the algorithms that are allowed; a name is not asked for. */
export function objectionToKeyFor(key: Omit<PublicJwk, 'kid'>, allowed: readonly Algorithm[]): string | undefined {
  const fitting = allowed.filter(({ kty, crv }) => kty === key.kty && (kty === 'RSA' || crv === key.crv))
  if (fitting.length === 0)
    return `fits none of the algorithms: ${allowed.map(({ alg, kty, crv }) => `${alg} (${crv ?? kty})`).join(', ')}`
  if (key.alg !== undefined && !fitting.some(({ alg }) => alg === key.alg)) return 'is for another algorithm (alg)'
  if (key.use !== undefined && key.use !== 'sig') return 'is not for signatures (use)'
  if (key.key_ops !== undefined && !key.key_ops.includes('verify')) return 'is not for verifying (key_ops)'
  return key.kty === 'RSA' ? objectionToRsa(key) : objectionToPoint(key)
}

function objectionToRsa({ n, e }: Pick<PublicJwk, 'n' | 'e'>): string | undefined {
  if (n === undefined || e === undefined) return 'lacks n or e'
  const exponent = numberOf(e)
  // An exponent of 1 makes every text its own signature; FIPS 186-5, section 5.4 asks for an odd one over 65,536.
  if (exponent <= 65_536n || exponent % 2n === 0n) return 'has an exponent that is no good (e)'
  const bits = numberOf(n).toString(2).length
  return bits < rsaBitsMin || bits > rsaBitsMax
    ? `has ${bits} bits; an RSA key has from ${rsaBitsMin} to ${rsaBitsMax}`
    : undefined
}

function objectionToPoint({ kty, crv, x, y }: Omit<PublicJwk, 'kid'>): string | undefined {
  const octets = crv === 'P-384' ? 48 : 32
  const isWhole = (coordinate: string | undefined) => coordinate !== undefined && octetsOf(coordinate) === octets
  return isWhole(x) && (kty === 'OKP' || isWhole(y)) ? undefined : 'lacks a coordinate, or has one of another length'
}

const octetsOf = (text: string): number => Math.floor((text.length * 6) / 8)

/** A number in base64urlUInt (RFC 7518, section 2). */
export function numberOf(text: string): bigint {
  let number = 0n
  for (const char of octetsIn(text)) number = (number << 8n) | BigInt(char.charCodeAt(0))
  return number
}

/** A text whose length no octets have is no number. */
const octetsIn = (text: string): string =>
  text.length % 4 === 1 ? '' : atob(text.replaceAll('-', '+').replaceAll('_', '/'))

/** An application that proves who it is by signed assertions. */
export interface ClientFacts {
  readonly clientId: string
  readonly tenant: TenantFacts
  readonly application: ApplicationFacts
  readonly profile: Profile
  /** Undefined for `smart`: a bearer, unless it shows a DPoP proof by itself. */
  readonly senderConstraint: SenderConstraint | undefined
  /** Thumbprints of the certificates that it may connect with; with `mtls` and none here, any one binds its tokens. */
  readonly certificates: readonly string[]
  /** Registered with us, or published by the client itself. None when it authenticates by its certificate alone. */
  readonly keys: { readonly registered: readonly PublicJwk[] } | { readonly url: string }
  /** Counts the client's changes: what was issued under an older one is dead. */
  readonly revision: number
  readonly endedAt: Instant | undefined
  /** Tokens that it took back, while they would still be good. */
  readonly revokedTokens: ReadonlySet<string>
}

/** Whether the client, its tenant or its application is over. */
export const hasEnded = ({ endedAt, tenant, application }: ClientFacts, now: Instant): boolean =>
  [endedAt, tenant.endedAt, application.endedAt].some((at) => at !== undefined && at <= now)

/** Stable and public: no name of a tenant or an application holds a dot. */
export const clientIdOf = (name: { tenant: string; application: string }): string =>
  `${name.tenant}.${name.application}`

/** What a row of a client says, or leaves to its profile. */
export function senderConstraintOf(row: {
  readonly profile: string
  readonly sender_constraint: string | null
}): SenderConstraint | undefined {
  if (row.sender_constraint !== null) return SenderConstraint.parse(row.sender_constraint)
  return row.profile === 'fapi2' ? 'dpop' : undefined
}
