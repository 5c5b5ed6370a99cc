import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose'

/** What signs here, and what others check it with: Ed25519 (RFC 8037), EdDSA and nothing else. */
export interface SigningKeys {
  readonly current: { readonly kid: string; readonly privateKey: CryptoKey }
  /** The current key first, then those of before, for as long as something that they signed may be checked. */
  readonly published: { readonly keys: readonly PublishedKey[] }
}

export interface PublishedKey {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

export const signingAlgorithm = 'EdDSA'
/** A key and those before it. */
const keysMax = 8

/** PKCS #8 of an Ed25519 key (RFC 8410, section 7) up to its seed of 32 bytes. */
const pkcs8Head = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20])

/**
 * Reads SIGNING_KEY: a secret, or several with commas between them. The first signs; the others are the ones of before,
 * and stay published so that what they signed can be checked until it expires. A key is made of its secret by SHA-256, so
 * that any long random text will do. The `kid` is the thumbprint of RFC 7638.
 */
export async function readSigningKeys(text: string): Promise<SigningKeys> {
  const secrets = text.split(',').slice(0, keysMax)
  const pairs = await Promise.all(secrets.map((secret) => pairOf(secret.trim())))
  const [current] = pairs
  if (current === undefined) throw new RangeError('a split text has a first part')
  return {
    current: { kid: current.published.kid, privateKey: current.privateKey },
    published: { keys: pairs.map(({ published }) => published) },
  }
}

async function pairOf(secret: string): Promise<{ published: PublishedKey; privateKey: CryptoKey }> {
  const seed = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`formulary signing key\n${secret}`))
  const pkcs8 = new Uint8Array([...pkcs8Head, ...new Uint8Array(seed)])
  const imported = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'Ed25519' }, true, ['sign'])
  const { d, x } = await crypto.subtle.exportKey('jwk', imported)
  if (d === undefined || x === undefined) throw new TypeError('an Ed25519 key has d and x')
  const jwk: JWK = { kty: 'OKP', crv: 'Ed25519', x }
  const kid = await calculateJwkThumbprint(jwk)
  const privateKey = await importJWK({ ...jwk, d }, signingAlgorithm)
  if (privateKey instanceof Uint8Array) throw new TypeError('an OKP key is no secret of bytes')
  return { published: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: signingAlgorithm }, privateKey }
}
