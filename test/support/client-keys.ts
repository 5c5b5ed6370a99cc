import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'

/** A client's pair of keys, and the algorithm that they are for. */
export interface ClientKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  /** As it is registered. */
  readonly publicJwk: Readonly<Record<string, unknown>>
}

const kinds = {
  RS384: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
} as const

export function makeClientKey(alg: keyof typeof kinds, kid = 'first'): ClientKey {
  const { privateKey, publicKey } = kinds[alg]()
  return { alg, kid, privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }), kid } }
}

/** A `client` as it stands in tenant.yaml: JSON is YAML. */
export const clientYaml = (
  profile: 'smart' | 'fapi2',
  keys: readonly ClientKey[] | string,
  more: Readonly<Record<string, unknown>> = {},
): string =>
  JSON.stringify({
    profile,
    ...(typeof keys === 'string' ? { jwksUri: keys } : { jwks: { keys: keys.map(({ publicJwk }) => publicJwk) } }),
    ...more,
  })

export interface AssertionWish {
  readonly clientId: string
  readonly audience: string
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

/** An assertion without a mistake, but for what is wished. */
export function signAssertion(key: ClientKey, wish: AssertionWish): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const { clientId, audience } = wish
  return new SignJWT({
    iss: clientId,
    sub: clientId,
    aud: audience,
    exp: now + 240,
    jti: crypto.randomUUID(),
    ...wish.claims,
  })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...wish.header })
    .sign(key.privateKey)
}

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export const tokenForm = (assertion: string, more: Readonly<Record<string, string>> = {}): URLSearchParams =>
  new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'chat',
    client_assertion_type: assertionType,
    client_assertion: assertion,
    ...more,
  })
