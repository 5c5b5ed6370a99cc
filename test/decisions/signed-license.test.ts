import { createPublicKey, verify } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readSigningKeys, type SigningKeys } from '../../src/identity/index.ts'
import { instant, plusDays, type Instant } from '../../src/kernel/index.ts'
import {
  licenseType,
  signLicense,
  signRevocations,
  verifyLicense,
  type LicenseFacts,
} from '../../src/licensing/index.ts'
import { actOf, factsOf, now, revisionOf } from './world.ts'

const terms = {
  entitlements: [
    {
      model: 'scribe',
      versions: '>=1.0.0 <2.0.0',
      pin: '1.0.0',
      audiences: ['clinician' as const],
      purposes: ['TREAT' as const],
    },
  ],
  rates: { requestsPerMinute: 600 },
  budgets: [{ meter: 'tokens' as const, limit: 50_000, per: 'month' as const, overage: 'deny' as const }],
  residency: ['us-east'],
  privacy: {},
}
const revision = revisionOf({ terms })

let keys: SigningKeys
let strangers: SigningKeys
let document: string
beforeAll(async () => {
  keys = await readSigningKeys('a secret of the tests, a secret of before')
  strangers = await readSigningKeys('a secret of somebody else')
  document = await signLicense(keys, {
    owner: 'The Clinic',
    tenant: 'lakeside',
    serial: 'LIC-1',
    facilities: ['general', 'north'],
    revision,
    now,
  })
})

const ours = async (text: string, at: Instant = now, more: { revocations?: string; keys?: SigningKeys } = {}) => {
  const checked = await verifyLicense(text, {
    keys: (more.keys ?? keys).published,
    revocations: more.revocations,
    at,
  })
  return checked.ok ? 'valid' : checked.error.reason
}

/** The same judgement by node:crypto, from RFC 7515, RFC 8037 and what the documentation says of a document. */
function theirs(text: string, at: Instant = now): boolean {
  const parts = text.split('.')
  const [head = '', body = '', signature = ''] = parts
  const bytes = (part: string) => Buffer.from(part, 'base64url')
  if (parts.length !== 3 || parts.some((part) => bytes(part).toString('base64url') !== part)) return false
  try {
    const header = z
      .object({ alg: z.literal('EdDSA'), typ: z.literal('formulary-license+jwt'), kid: z.string() })
      .parse(JSON.parse(bytes(head).toString()))
    const jwk = keys.published.keys.find(({ kid }) => kid === header.kid)
    if (jwk === undefined) return false
    const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: 'jwk' })
    if (!verify(null, Buffer.from(`${head}.${body}`), key, bytes(signature))) return false
    const { nbf, exp } = z.object({ nbf: z.int(), exp: z.int() }).parse(JSON.parse(bytes(body).toString()))
    const second = Math.floor(at / 1000)
    return second >= nbf && second < exp
  } catch {
    return false
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a document is valid by both verifiers, and says what was granted', async () => {
  expect([await ours(document), theirs(document)]).toEqual(['valid', true])
  const checked = await verifyLicense(document, { keys: keys.published, revocations: undefined, at: now })
  expect(checked).toMatchObject({
    value: {
      iss: 'The Clinic',
      sub: 'lakeside',
      jti: 'LIC-1/1',
      serial: 'LIC-1',
      revision: 1,
      facilities: ['general', 'north'],
      terms,
    },
  })
  expect(JSON.parse(Buffer.from(document.split('.')[0] ?? '', 'base64url').toString())).toEqual({
    alg: 'EdDSA',
    kid: keys.current.kid,
    typ: licenseType,
  })
})

test('every one-bit change of it is refused by both verifiers', async () => {
  const bytes = Buffer.from(document, 'latin1')
  let changed = 0
  const accepted: string[] = []
  for (let index = 0; index < bytes.length; index++)
    for (let bit = 0; bit < 8; bit++) {
      const other = Buffer.from(bytes)
      other[index] = (other[index] ?? 0) ^ (1 << bit)
      const text = other.toString('latin1')
      changed++
      if ((await ours(text)) === 'valid' || theirs(text)) accepted.push(`byte ${index}, bit ${bit}`)
    }
  expect(accepted).toEqual([])
  expect(changed).toBe(document.length * 8)
  console.log(`${changed} changed documents, all refused by both`)
}, 120_000)

describe('another header is refused by both verifiers', () => {
  const kid = () => keys.current.kid
  test.each<[string, () => object]>([
    ['alg none', () => ({ alg: 'none', kid: kid(), typ: licenseType })],
    ['an HMAC', () => ({ alg: 'HS256', kid: kid(), typ: licenseType })],
    ['another signature algorithm', () => ({ alg: 'ES256', kid: kid(), typ: licenseType })],
    ['the type of another token', () => ({ alg: 'EdDSA', kid: kid(), typ: 'at+jwt' })],
    ['the type of the revocations', () => ({ alg: 'EdDSA', kid: kid(), typ: 'formulary-revocations+jwt' })],
    ['no type', () => ({ alg: 'EdDSA', kid: kid() })],
    ['no kid', () => ({ alg: 'EdDSA', typ: licenseType })],
    ['the kid of the older key', () => ({ alg: 'EdDSA', kid: keys.published.keys[1]?.kid, typ: licenseType })],
    ['an unknown kid', () => ({ alg: 'EdDSA', kid: 'unknown', typ: licenseType })],
    ['a key of its own', () => ({ alg: 'EdDSA', kid: kid(), typ: licenseType, jwk: strangers.published.keys[0] })],
  ])('%s', async (_, header) => {
    const [, body = '', signature = ''] = document.split('.')
    for (const end of [signature, '']) {
      const text = `${encode(header())}.${body}.${end}`
      expect([await ours(text), theirs(text)]).not.toContain('valid')
      expect(theirs(text)).toBe(false)
    }
  })

  test('signed whole by somebody else, under our kid', async () => {
    const forged = await signLicense(
      { ...strangers, current: { ...strangers.current, kid: keys.current.kid } },
      { owner: 'The Clinic', tenant: 'lakeside', serial: 'LIC-1', facilities: [], revision, now },
    )
    expect([await ours(forged), theirs(forged)]).toEqual(['document_signature_wrong', false])
  })
})

test('it holds from the first second of its term to the last of its grace', async () => {
  const from = instant(Math.floor(revision.termStart / 1000) * 1000)
  const end = instant(Math.floor(plusDays(revision.termEnd, revision.graceDays) / 1000) * 1000)
  for (const [at, outcome] of [
    [instant(from - 1), 'document_not_yet_valid'],
    [from, 'valid'],
    [instant(end - 1), 'valid'],
    [end, 'document_expired'],
  ] as const)
    expect([await ours(document, at), theirs(document, at)]).toEqual([outcome, outcome === 'valid'])
})

test('a document that was signed before the key was rolled stays valid as long as its key is published', async () => {
  const rolled = await readSigningKeys('a new secret, a secret of the tests')
  expect(rolled.current.kid).not.toBe(keys.current.kid)
  expect(await ours(document, now, { keys: rolled })).toBe('valid')
  expect(await ours(document, now, { keys: await readSigningKeys('a new secret') })).toBe('document_key_unknown')
})

describe('the list of revocations', () => {
  const listOf = (licenses: readonly LicenseFacts[]) =>
    signRevocations(keys, { owner: 'The Clinic', tenant: undefined, licenses, now: plusDays(now, -0.5) })
  const yesterday = plusDays(now, -1)

  test.each(['suspend', 'revoke', 'terminate'] as const)('names a license after a %s', async (act) => {
    const revocations = await listOf([factsOf({ revisions: [revision], acts: [actOf(act, yesterday)] })])
    expect(await ours(document, now, { revocations })).toBe('document_revoked')
  })

  test('names the revisions before an amendment, and not the one that holds', async () => {
    const second = { ...revision, revision: 2, effectiveAt: yesterday }
    const revocations = await listOf([factsOf({ revisions: [revision, second] })])
    expect(await ours(document, now, { revocations })).toBe('document_revoked')
    const amended = await signLicense(keys, {
      owner: 'The Clinic',
      tenant: 'lakeside',
      serial: 'LIC-1',
      facilities: [],
      revision: second,
      now,
    })
    expect(await ours(amended, now, { revocations })).toBe('valid')
  })

  test('of one tenant says nothing of another’s license', async () => {
    const of = (tenant: string) => signRevocations(keys, { owner: 'The Clinic', tenant, licenses: [], now })
    expect(await ours(document, now, { revocations: await of('lakeside') })).toBe('valid')
    expect(await ours(document, now, { revocations: await of('prairie') })).toBe('revocations_of_other_tenant')
  })

  test('names nobody else, is good for a day, and is refused when it is not ours', async () => {
    const revocations = await listOf([factsOf({ revisions: [revision] })])
    expect(await ours(document, now, { revocations })).toBe('valid')
    expect(await ours(document, plusDays(now, 1), { revocations })).toBe('revocations_unusable')
    const forged = await signRevocations(strangers, { owner: 'The Clinic', tenant: undefined, licenses: [], now })
    expect(await ours(document, now, { revocations: forged })).toBe('revocations_unusable')
    expect(await ours(document, now, { revocations: document })).toBe('revocations_unusable')
  })
})
