import { z } from 'zod'

/**
 * The words that vectors are written in, the same in every language. Wherever a value stands, a text may hold placeholders:
 * {issuer}, {tokenUrl}, {introspectionUrl}, {resourceUrl}, {resourceUrlInCapitals} (its scheme and host),
 * {resourceUrlWithPort} (443 or 80 when it says none), {clientId}, {otherClientId}, {uuid} (a new one each time),
 * {saved:name} and {sha256:name} (base64url of the SHA-256 of what was saved). An object with one member beginning with $
 * is a value to be made: {"$now": seconds} a NumericDate from now on, {"$publicJwk": key}, {"$privateJwk": key}.
 */

/** A JWS to be made. */
export const Jwt = z.strictObject({
  /** The key of keys.json that signs; `hmac:` before it: its public PEM is taken for a secret. Absent: no signature. */
  key: z.string().optional(),
  /** How it signs; `header.alg` may say something else. */
  alg: z.string().optional(),
  header: z.record(z.string(), z.unknown()),
  /** A text is the payload itself. */
  claims: z.union([z.record(z.string(), z.unknown()), z.string()]),
  /** Members to replace after signing; null removes. */
  after: z
    .strictObject({
      header: z.record(z.string(), z.unknown()).optional(),
      claims: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  /** How the parts stand together; absent: `{header}.{payload}.{signature}`. {signatureFlipped} has its last octet changed. */
  compact: z.string().optional(),
  saveAs: z.string().optional(),
})
export type Jwt = z.infer<typeof Jwt>

export const Value = z.union([z.string(), z.strictObject({ jwt: Jwt })])
export type Value = z.infer<typeof Value>

export const Step = z.strictObject({
  request: z.strictObject({
    to: z.enum(['token', 'introspect', 'revoke', 'resource']),
    method: z.string().optional(),
    /** Absent: a form's. */
    contentType: z.string().optional(),
    query: z.string().optional(),
    headers: z.array(z.tuple([z.string(), Value])).optional(),
    form: z.array(z.tuple([z.string(), Value])).optional(),
    /** Instead of a form. */
    body: z.string().optional(),
  }),
  expect: z.strictObject({
    status: z.array(z.int()),
    /** Any of them. */
    error: z.array(z.string()).optional(),
    /** A member of the answer to be kept under its own name. */
    save: z.string().optional(),
    /** Members that the answer has. */
    members: z.record(z.string(), z.unknown()).optional(),
  }),
})
export type Step = z.infer<typeof Step>

export const Vector = z.strictObject({
  id: z.string(),
  /** `SMART 338`, `RFC 9449 4.3 (8)`. */
  requirements: z.array(z.string()).min(1),
  about: z.string(),
  profile: z.enum(['smart', 'fapi2']),
  /** Whether all of it must pass, or something in it must be refused. */
  kind: z.enum(['accepted', 'refused']),
  steps: z.array(Step).min(1),
})
export type Vector = z.infer<typeof Vector>

export const VectorFile = z.strictObject({ family: z.string(), about: z.string(), vectors: z.array(Vector) })
export type VectorFile = z.infer<typeof VectorFile>

/** Keys of the vectors and of nothing else. `registeredFor`: the client under whose key set it stands. */
export const KeyFile = z.array(
  z.strictObject({
    name: z.string(),
    registeredFor: z.enum(['smart', 'fapi2']).optional(),
    privateJwk: z.looseObject({ kty: z.string(), kid: z.string() }),
  }),
)
export type KeyFile = z.infer<typeof KeyFile>
