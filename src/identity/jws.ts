import { compactVerify, importJWK } from 'jose'
import { isRocaModulus } from './roca.ts'
import { objectionToKeyFor, type Algorithm, type PublicJwk } from './client.ts'

/** A JWS in compact serialization (RFC 7515, section 3.1) that nobody has verified yet. */
export interface Jws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Uint8Array
  readonly text: string
}

/**
 * Reads three parts of base64url without padding, spaces or spare bits: a signature covers the text, so that two texts for the
 * same octets would be two proofs of one. Undefined for whatever else.
 */
export function readJws(text: string, charactersMax: number): Jws | undefined {
  if (text.length > charactersMax) return undefined
  const parts = text.split('.')
  if (parts.length !== 3) return undefined
  const [header, payload, signature] = parts.map(octetsOf)
  if (header === undefined || payload === undefined || signature === undefined || signature.length === 0)
    return undefined
  const members = readMembers(header)
  return members === undefined ? undefined : { header: members, payload, text }
}

/** The octets of a JSON object; undefined for other JSON, and for what is no UTF-8. */
export function readMembers(octets: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function octetsOf(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined
  const octets = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  return base64Url(octets) === text ? octets : undefined
}

/** RFC 4648, section 5, without padding. */
export const base64Url = (octets: Uint8Array): string =>
  btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

export type KeyRefusal = 'key_unknown' | 'key_ambiguous' | 'key_unfit' | 'signature_wrong'

/**
 * Verifies with the one key that `kid` and `kty` leave over (SMART 338). The algorithms are ours to say; each goes with one
 * kind of key, so that no public key is taken for a secret (RFC 8725, section 3.1).
 */
export async function verifyJws(
  jws: Jws,
  keys: readonly PublicJwk[],
  algorithms: readonly Algorithm[],
): Promise<'verified' | KeyRefusal> {
  const { alg, kid } = jws.header
  const algorithm = algorithms.find((candidate) => candidate.alg === alg)
  if (algorithm === undefined) return 'key_unfit'
  const named = keys.filter((key) => key.kid === kid && key.kty === algorithm.kty)
  const [key, second] = named
  if (key === undefined) return 'key_unknown'
  if (second !== undefined) return 'key_ambiguous'
  if (objectionToKeyFor(key, [algorithm]) !== undefined) return 'key_unfit'
  return verifyByKey(jws, key, algorithm)
}

/** @returns `key_unfit` for numbers that are no key: a point off its curve, a modulus of a known weak generator. */
export async function verifyByKey(
  jws: Jws,
  numbers: Omit<PublicJwk, 'kid'>,
  { alg }: Algorithm,
): Promise<'verified' | 'key_unfit' | 'signature_wrong'> {
  if (numbers.n !== undefined && isRocaModulus(numbers.n)) return 'key_unfit'
  const key = await importJWK(requiredMembers(numbers), alg).catch(() => undefined)
  if (key === undefined) return 'key_unfit'
  try {
    await compactVerify(jws.text, key, { algorithms: [alg] })
    return 'verified'
  } catch {
    return 'signature_wrong'
  }
}

/** The members that make a key what it is, and nothing beside them (RFC 7638, section 3.2). */
export function requiredMembers({ kty, crv, x, y, n, e }: Omit<PublicJwk, 'kid'>): Record<string, string> {
  const members = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, value]],
    ),
  )
}
