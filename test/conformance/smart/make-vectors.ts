// Writes vectors/*.json: `node test/conformance/smart/make-vectors.ts`. The keys are made once and then kept.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format } from 'node:util'
import type { Jwt, KeyFile, Step, Value, Vector, VectorFile } from './vocabulary.ts'

const folder = new URL('./vectors/', import.meta.url)
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
type Members = Readonly<Record<string, unknown>>

/** A good assertion of each profile. */
const good = {
  smart: (): Jwt => ({
    key: 'smart-es384',
    alg: 'ES384',
    header: { alg: 'ES384', kid: 'smart-es384', typ: 'JWT' },
    claims: claimsFor('{tokenUrl}'),
  }),
  fapi2: (): Jwt => ({
    key: 'fapi2-es256',
    alg: 'ES256',
    header: { alg: 'ES256', kid: 'fapi2-es256' },
    claims: claimsFor('{issuer}'),
  }),
} as const
const claimsFor = (aud: string): Members => ({
  iss: '{clientId}',
  sub: '{clientId}',
  aud,
  exp: { $now: 240 },
  jti: '{uuid}',
})

/** With other members; undefined removes one. */
function edited(jwt: Jwt, more: { header?: Members; claims?: Members; signer?: [key: string, alg: string] }): Jwt {
  const merge = (members: Jwt['claims'], edits: Members = {}) =>
    Object.fromEntries(Object.entries({ ...Object(members), ...edits }).filter(([, value]) => value !== undefined))
  const [key, alg] = more.signer ?? [jwt.key, jwt.alg]
  return {
    ...jwt,
    ...(key === undefined ? {} : { key }),
    ...(alg === undefined ? {} : { alg }),
    header: merge(jwt.header, more.header),
    claims: merge(jwt.claims, more.claims),
  }
}

const formOf = (assertion: Value): [string, Value][] => [
  ['grant_type', 'client_credentials'],
  ['scope', 'chat'],
  ['client_assertion_type', assertionType],
  ['client_assertion', assertion],
]
const token = (form: [string, Value][], more: Partial<Step['request']> = {}): Step['request'] => ({
  to: 'token',
  form,
  ...more,
})
const accepted = { status: [200] }
const refusedClient = { status: [400, 401], error: ['invalid_client'] }
const refusedAs = (...error: string[]) => ({ status: [400, 401], error })

const one = (
  id: string,
  requirements: readonly string[],
  about: string,
  step: Step,
  profile: Vector['profile'] = 'smart',
): Vector => ({
  id,
  requirements: [...requirements],
  about,
  profile,
  kind: step.expect.status.includes(200) ? 'accepted' : 'refused',
  steps: [step],
})
/** A vector that is about the assertion alone. */
const bad = (id: string, requirement: string, about: string, assertion: Jwt, profile: Vector['profile'] = 'smart') =>
  one(
    id,
    [requirement, 'SMART 340'],
    about,
    { request: token(formOf({ jwt: assertion })), expect: refusedClient },
    profile,
  )
const fine = (id: string, requirements: readonly string[], about: string, assertion: Jwt) =>
  one(id, requirements, about, {
    request: token(formOf({ jwt: assertion })),
    expect: { ...accepted, members: { token_type: 'bearer', expires_in: 300, scope: 'chat' } },
  })

const smart = good.smart()
const fapi2 = good.fapi2()
const rsa = edited(smart, { header: { alg: 'RS384', kid: 'smart-rs384' }, signer: ['smart-rs384', 'RS384'] })

const acceptedFile: VectorFile = {
  family: 'accepted',
  about: 'What must pass, so that a server that refuses everything does not look good.',
  vectors: [
    fine(
      'accepts-es384',
      ['SMART 310', 'SMART 253', 'SMART 254', 'SMART 255', 'SMART 256', 'SMART 258', 'SMART 261'],
      'ES384 by a registered key',
      smart,
    ),
    fine('accepts-rs384', ['SMART 310', 'SMART 297'], 'RS384 by a registered key', rsa),
    fine(
      'accepts-a-list-of-one-audience',
      ['RFC 7519 4.1.3'],
      'the token URL in a list of one',
      edited(smart, { claims: { aud: ['{tokenUrl}'] } }),
    ),
    fine(
      'accepts-an-expiry-in-five-minutes',
      ['SMART 336'],
      'exp 299 seconds ahead',
      edited(smart, { claims: { exp: { $now: 299 } } }),
    ),
    fine(
      'accepts-a-clock-that-is-ten-seconds-off',
      ['RFC 7523 3 (4)'],
      'iat and nbf 10 seconds ahead',
      edited(smart, { claims: { iat: { $now: 10 }, nbf: { $now: 10 } } }),
    ),
    one('accepts-the-client-id-beside-it', ['SMART 337'], 'client_id equal to iss', {
      request: token([...formOf({ jwt: smart }), ['client_id', '{clientId}']]),
      expect: accepted,
    }),
    one('accepts-a-charset', ['RFC 6749 4.4.2'], 'a form with a charset', {
      request: token(formOf({ jwt: smart }), { contentType: 'application/x-www-form-urlencoded; charset=UTF-8' }),
      expect: accepted,
    }),
  ],
}

const repeated = (name: string): Vector => {
  const form = formOf({ jwt: smart })
  const again = form.find(([known]) => known === name) ?? [name, 'x']
  return one(`request-repeats-${name.replaceAll('_', '-')}`, ['RFC 6749 3.2', 'SMART 251'], `${name} twice`, {
    request: token([...form, again]),
    expect: refusedAs('invalid_request'),
  })
}
const without = (name: string, ...error: string[]): Vector =>
  one(`request-lacks-${name.replaceAll('_', '-')}`, ['SMART 249', 'SMART 251'], `no ${name}`, {
    request: token(formOf({ jwt: smart }).filter(([known]) => known !== name)),
    expect: refusedAs(...error),
  })
const withForm = (
  id: string,
  requirement: string,
  about: string,
  edits: Readonly<Record<string, string>>,
  ...error: string[]
): Vector =>
  one(id, [requirement, 'SMART 251'], about, {
    request: token([
      ...formOf({ jwt: smart }).map(([name, value]): [string, Value] => [name, edits[name] ?? value]),
      ...Object.entries(edits).filter(([name]) => !formOf('').some(([known]) => known === name)),
    ]),
    expect: refusedAs(...error),
  })
const requests: VectorFile = {
  family: 'request',
  about: 'The request around a good assertion.',
  vectors: [
    one('request-by-get', ['RFC 6749 3.2'], 'GET instead of POST', {
      request: { to: 'token', method: 'GET', query: 'grant_type=client_credentials' },
      expect: { status: [400, 404, 405] },
    }),
    one('request-by-put', ['RFC 6749 3.2'], 'PUT instead of POST', {
      request: token(formOf({ jwt: smart }), { method: 'PUT' }),
      expect: { status: [400, 404, 405] },
    }),
    one('request-in-json', ['SMART 249', 'SMART 251'], 'a JSON body', {
      request: {
        to: 'token',
        contentType: 'application/json',
        body: '{"grant_type":"client_credentials","scope":"chat"}',
      },
      expect: { status: [400, 415], error: ['invalid_request'] },
    }),
    one('request-of-no-type', ['SMART 249', 'SMART 251'], 'a form that says it is text', {
      request: token(formOf({ jwt: smart }), { contentType: 'text/plain' }),
      expect: { status: [400, 415], error: ['invalid_request'] },
    }),
    one('request-of-several-parts', ['SMART 249', 'SMART 251'], 'multipart/form-data', {
      request: { to: 'token', contentType: 'multipart/form-data; boundary=x', body: '--x\r\n\r\n--x--\r\n' },
      expect: { status: [400, 415], error: ['invalid_request'] },
    }),
    one('request-in-the-query', ['RFC 6749 2.3.1', 'SMART 251'], 'parameters in the address', {
      request: token(formOf({ jwt: smart }), { query: 'scope=chat' }),
      expect: refusedAs('invalid_request'),
    }),
    one('request-too-long', ['RFC 6749 5.2'], 'a form of 100,000 characters', {
      request: token([...formOf({ jwt: smart }), ['filler', 'x'.repeat(100)]], { body: 'x='.padEnd(100_000, 'x') }),
      expect: { status: [400, 413], error: ['invalid_request'] },
    }),
    ...['grant_type', 'scope', 'client_assertion_type', 'client_assertion'].map(repeated),
    one('request-authenticates-twice-basic', ['RFC 6749 2.3', 'SMART 251'], 'HTTP Basic beside the assertion', {
      request: token(formOf({ jwt: smart }), { headers: [['authorization', 'Basic bGFrZXNpZGU6c2VjcmV0']] }),
      expect: refusedAs('invalid_request', 'invalid_client'),
    }),
    withForm(
      'request-authenticates-twice-secret',
      'RFC 6749 2.3',
      'client_secret beside the assertion',
      { client_secret: 'secret' },
      'invalid_request',
      'invalid_client',
    ),
    without('grant_type', 'invalid_request', 'unsupported_grant_type'),
    without('client_assertion_type', 'invalid_client', 'invalid_request'),
    without('client_assertion', 'invalid_client', 'invalid_request'),
    without('scope', 'invalid_scope', 'invalid_request'),
    withForm(
      'request-for-a-code',
      'RFC 6749 4.4.2',
      'another grant type',
      { grant_type: 'authorization_code' },
      'unsupported_grant_type',
      'unauthorized_client',
    ),
    withForm(
      'request-for-a-password',
      'RFC 6749 4.4.2',
      'the password grant',
      { grant_type: 'password' },
      'unsupported_grant_type',
      'unauthorized_client',
    ),
    withForm(
      'request-with-a-saml-assertion-type',
      'RFC 7523 2.2',
      'another assertion type',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
      'invalid_client',
      'invalid_request',
    ),
    withForm(
      'request-for-another-client',
      'SMART 337',
      'client_id of another client',
      { client_id: '{otherClientId}' },
      'invalid_client',
      'invalid_request',
    ),
    withForm(
      'request-over-scoped',
      'SMART 250',
      'a scope that the client does not have',
      { scope: 'infer' },
      'invalid_scope',
    ),
    withForm(
      'request-partly-over-scoped',
      'SMART 250',
      'one scope that the client has, and one that it does not',
      { scope: 'chat infer' },
      'invalid_scope',
    ),
    withForm(
      'request-for-everything',
      'SMART 241',
      'a scope of SMART that nobody granted',
      { scope: 'system/*.cruds' },
      'invalid_scope',
    ),
  ],
}

const foreign: Members = { $publicJwk: 'stranger-es384' }
const headerFamily: VectorFile = {
  family: 'header',
  about: 'The header chooses among what was registered, and brings nothing of its own.',
  vectors: [
    ...['none', 'None', 'NONE', 'nOnE'].map((alg) =>
      bad(`header-alg-${alg}-without-signature`, 'RFC 8725 3.2', `alg ${alg}, and an empty signature`, {
        header: { ...smart.header, alg },
        claims: smart.claims,
      }),
    ),
    bad('header-alg-none-with-signature', 'RFC 8725 3.2', 'alg none over a good signature', {
      ...smart,
      after: { header: { alg: 'none' } },
    }),
    ...['HS256', 'HS384', 'HS512'].map((alg) =>
      bad(
        `header-${alg.toLowerCase()}-with-the-public-key`,
        'RFC 8725 2.1',
        `${alg} keyed with the RSA public key`,
        edited(rsa, { header: { alg }, signer: ['hmac:smart-rs384', alg] }),
      ),
    ),
    bad(
      'header-hs384-under-the-name-rs384',
      'RFC 8725 2.1',
      'an HMAC that says it is RS384',
      edited(rsa, { signer: ['hmac:smart-rs384', 'HS384'] }),
    ),
    bad(
      'header-rs256',
      'SMART 310',
      'an algorithm that the profile does not have',
      edited(rsa, { header: { alg: 'RS256' }, signer: ['smart-rs384', 'RS256'] }),
    ),
    bad(
      'header-ps384',
      'SMART 310',
      'PSS padding in a profile of PKCS #1',
      edited(rsa, { header: { alg: 'PS384' }, signer: ['smart-rs384', 'PS384'] }),
    ),
    bad(
      'header-ps384-under-the-name-rs384',
      'RFC 7518 3.3',
      'PSS padding that says it is PKCS #1',
      edited(rsa, { signer: ['smart-rs384', 'PS384'] }),
    ),
    bad(
      'header-es256',
      'SMART 310',
      'the curve of the other profile',
      edited(smart, { header: { alg: 'ES256', kid: 'fapi2-es256' }, signer: ['fapi2-es256', 'ES256'] }),
    ),
    bad(
      'header-es384-names-the-rsa-key',
      'SMART 338',
      'alg of one kind, kid of another',
      edited(smart, { header: { kid: 'smart-rs384' } }),
    ),
    bad(
      'header-rs384-names-the-ec-key',
      'SMART 338',
      'alg of one kind, kid of another',
      edited(rsa, { header: { kid: 'smart-es384' } }),
    ),
    bad('header-alg-missing', 'RFC 7515 4.1.1', 'no alg', edited(smart, { header: { alg: undefined } })),
    bad('header-alg-number', 'RFC 7515 4.1.1', 'alg is a number', edited(smart, { header: { alg: 384 } })),
    bad('header-alg-list', 'RFC 7515 4.1.1', 'alg is a list', edited(smart, { header: { alg: ['ES384'] } })),
    bad('header-alg-lower-case', 'RFC 7515 4.1.1', 'alg in lower case', edited(smart, { header: { alg: 'es384' } })),
    bad('header-kid-missing', 'SMART 338', 'no kid', edited(smart, { header: { kid: undefined } })),
    bad('header-kid-empty', 'SMART 338', 'an empty kid', edited(smart, { header: { kid: '' } })),
    bad('header-kid-number', 'SMART 338', 'kid is a number', edited(smart, { header: { kid: 1 } })),
    bad(
      'header-kid-unknown',
      'SMART 338',
      'a kid that nobody registered',
      edited(smart, { header: { kid: 'nobodys' } }),
    ),
    bad('header-kid-path', 'SMART 338', 'a kid that is a path', edited(smart, { header: { kid: '../../dev/null' } })),
    bad('header-kid-sql', 'SMART 338', 'a kid that is SQL', edited(smart, { header: { kid: "' or '1'='1" } })),
    bad(
      'header-kid-of-another-client',
      'SMART 338',
      'the key of another client',
      edited(fapi2, { claims: { aud: '{tokenUrl}' }, header: { typ: 'JWT' } }),
    ),
    bad(
      'header-signed-by-a-stranger',
      'SMART 335',
      'the right kid, a stranger’s key',
      edited(smart, { signer: ['stranger-es384', 'ES384'] }),
    ),
    bad(
      'header-brings-its-key',
      'RFC 8725 3.10',
      'jwk, and a signature by it',
      edited(smart, { header: { jwk: foreign }, signer: ['stranger-es384', 'ES384'] }),
    ),
    bad(
      'header-brings-the-registered-key',
      'RFC 8725 3.10',
      'jwk of the registered key',
      edited(smart, { header: { jwk: { $publicJwk: 'smart-es384' } } }),
    ),
    bad('header-brings-a-certificate', 'RFC 8725 3.10', 'x5c', edited(smart, { header: { x5c: ['MIIB'] } })),
    bad(
      'header-points-to-a-certificate',
      'RFC 8725 3.10',
      'x5u',
      edited(smart, { header: { x5u: 'https://keys.invalid/cert.pem' } }),
    ),
    bad('header-thumbprint', 'RFC 8725 3.10', 'x5t', edited(smart, { header: { x5t: 'AAAA' } })),
    bad(
      'header-points-elsewhere',
      'SMART 338',
      'a jku that was not registered',
      edited(smart, { header: { jku: 'https://keys.invalid/jwks.json' }, signer: ['stranger-es384', 'ES384'] }),
    ),
    bad(
      'header-points-to-this-machine',
      'SMART 338',
      'a jku inside',
      edited(smart, { header: { jku: 'http://127.0.0.1/jwks.json' } }),
    ),
    bad('header-jku-empty', 'SMART 338', 'an empty jku', edited(smart, { header: { jku: '' } })),
    bad(
      'header-critical',
      'RFC 7515 4.1.11',
      'crit with an unknown extension',
      edited(smart, { header: { crit: ['exp2'], exp2: 1 } }),
    ),
    bad('header-critical-empty', 'RFC 7515 4.1.11', 'an empty crit', edited(smart, { header: { crit: [] } })),
    bad('header-unencoded-payload', 'RFC 7797 3', 'b64: false', edited(smart, { header: { b64: false } })),
    bad('header-typ-missing', 'SMART 249', 'no typ', edited(smart, { header: { typ: undefined } })),
    bad('header-typ-of-an-access-token', 'RFC 8725 3.11', 'typ at+jwt', edited(smart, { header: { typ: 'at+jwt' } })),
    bad('header-typ-of-a-proof', 'RFC 8725 3.11', 'typ dpop+jwt', edited(smart, { header: { typ: 'dpop+jwt' } })),
    bad(
      'fapi2-rs384',
      'FAPI2 5.4.1',
      'an algorithm of the other profile',
      edited(rsa, { claims: { aud: '{issuer}' } }),
      'fapi2',
    ),
    bad(
      'fapi2-rs256',
      'FAPI2 5.4.1',
      'RS256',
      edited(fapi2, { header: { alg: 'RS256', kid: 'fapi2-ps256' }, signer: ['fapi2-ps256', 'RS256'] }),
      'fapi2',
    ),
    bad('fapi2-none', 'FAPI2 5.4.1', 'alg none', { header: { alg: 'none' }, claims: fapi2.claims }, 'fapi2'),
  ],
}

const compact = (id: string, requirement: string, about: string, template: string) =>
  bad(id, requirement, about, { ...smart, compact: template })
const after = (id: string, about: string, edits: NonNullable<Jwt['after']>) =>
  bad(id, 'SMART 335', about, { ...smart, after: edits })
const parts: VectorFile = {
  family: 'parts',
  about: 'Each part altered, and serializations that are none.',
  vectors: [
    after('parts-claims-altered', 'a later exp after signing', { claims: { exp: { $now: 250 } } }),
    after('parts-jti-altered', 'another jti after signing', { claims: { jti: '{uuid}' } }),
    after('parts-subject-altered', 'a claim added after signing', { claims: { role: 'admin' } }),
    after('parts-header-altered', 'a member added to the header after signing', { header: { cty: 'JWT' } }),
    compact(
      'parts-signature-altered',
      'SMART 335',
      'the last octet of the signature changed',
      '{header}.{payload}.{signatureFlipped}',
    ),
    compact('parts-signature-empty', 'SMART 335', 'no signature', '{header}.{payload}.'),
    compact('parts-signature-zero', 'CVE-2022-21449', 'r and s are zero', `{header}.{payload}.${'A'.repeat(128)}`),
    compact('parts-signature-twice', 'RFC 7515 7.1', 'four parts', '{header}.{payload}.{signature}.{signature}'),
    compact('parts-two', 'RFC 7515 7.1', 'two parts', '{header}.{payload}'),
    compact(
      'parts-five',
      'RFC 7516 3.1',
      'five parts, as encrypted',
      '{header}.{payload}.{signature}.{signature}.{signature}',
    ),
    compact('parts-none', 'RFC 7515 7.1', 'one word', 'assertion'),
    compact('parts-dots', 'RFC 7515 7.1', 'only dots', '..'),
    compact('parts-padded', 'RFC 7515 2', 'padding at the end', '{header}.{payload}.{signature}='),
    compact('parts-spaced', 'RFC 7515 2', 'a space before it', ' {header}.{payload}.{signature}'),
    compact('parts-new-line', 'RFC 7515 2', 'a new line at the end', '{header}.{payload}.{signature}\n'),
    compact('parts-nul', 'RFC 7515 2', 'a NUL between parts', '{header}\u0000.{payload}.{signature}'),
    compact(
      'parts-in-json',
      'RFC 7523 2.2',
      'the JSON serialization',
      '{"protected":"{header}","payload":"{payload}","signature":"{signature}"}',
    ),
    compact('parts-header-not-json', 'RFC 7515 5.2', 'a header that is no JSON', 'bm90IGpzb24.{payload}.{signature}'),
    compact('parts-header-a-list', 'RFC 7515 5.2', 'a header that is a list', 'W10.{payload}.{signature}'),
    compact('parts-header-not-utf-8', 'RFC 7515 5.2', 'a header that is not UTF-8', '_____w.{payload}.{signature}'),
    bad('parts-payload-not-json', 'RFC 7519 7.2', 'a signed payload that is no JSON', { ...smart, claims: 'not json' }),
    bad('parts-payload-a-list', 'RFC 7519 7.2', 'a signed payload that is a list', { ...smart, claims: '[]' }),
    bad('parts-payload-empty', 'RFC 7519 7.2', 'a signed empty payload', { ...smart, claims: '' }),
    bad(
      'parts-too-long',
      'RFC 8725 3.10',
      'an assertion of 12,000 characters',
      edited(smart, { claims: { filler: 'x'.repeat(9_000) } }),
    ),
  ],
}

const claim = (name: string, about: string, value: unknown, requirement: string) =>
  bad(
    `claim-${name}-${about.replaceAll(/[^a-z0-9]+/gi, '-')}`,
    requirement,
    `${name} ${about}`,
    edited(smart, { claims: { [name]: value } }),
  )
const rules: Readonly<Record<string, string>> = {
  iss: 'RFC 7523 3 (1)',
  sub: 'RFC 7523 3 (2)',
  aud: 'RFC 7523 3 (3)',
  exp: 'RFC 7523 3 (4)',
  jti: 'SMART 336',
}
const claims: VectorFile = {
  family: 'claims',
  about: 'Each claim absent, empty, of a wrong type; audiences; times on both sides.',
  vectors: [
    ...Object.entries(rules).flatMap(([name, rule]) => [
      claim(name, 'absent', undefined, rule),
      claim(name, 'empty', '', rule),
      claim(name, 'null', null, rule),
      claim(name, 'an object', {}, rule),
      claim(name, 'true', true, rule),
    ]),
    claim('iss', 'of nobody', 'nobody.nothing', 'SMART 337'),
    claim('iss', 'in upper case', 'LAKESIDE.EHR', 'SMART 337'),
    claim('iss', 'with SQL', "x' or '1'='1", 'SMART 337'),
    claim('iss', 'a list', ['{clientId}'], 'RFC 7523 3 (1)'),
    claim('iss', 'another client', '{otherClientId}', 'SMART 337'),
    claim('sub', 'another client', '{otherClientId}', 'RFC 7523 3 (2)'),
    claim('jti', 'a number', 7, 'SMART 336'),
    claim('jti', 'of 5000 characters', 'x'.repeat(5_000), 'SMART 336'),
    claim('aud', 'the issuer', '{issuer}', 'RFC 7523 3 (3)'),
    claim('aud', 'another server', 'https://auth.example/token', 'RFC 7523 3 (3)'),
    claim('aud', 'with a slash', '{tokenUrl}/', 'RFC 7523 3 (3)'),
    claim('aud', 'with a query', '{tokenUrl}?x=1', 'RFC 7523 3 (3)'),
    claim('aud', 'the introspection endpoint', '{introspectionUrl}', 'RFC 7523 3 (3)'),
    claim('aud', 'two servers', ['{tokenUrl}', 'https://auth.example/token'], 'rfc7523bis 4'),
    claim('aud', 'token URL and issuer', ['{tokenUrl}', '{issuer}'], 'rfc7523bis 4'),
    claim('aud', 'an empty list', [], 'RFC 7523 3 (3)'),
    claim('exp', '31 seconds ago', { $now: -31 }, 'RFC 7523 3 (4)'),
    claim('exp', 'an hour ago', { $now: -3600 }, 'RFC 7523 3 (4)'),
    claim('exp', 'in six minutes', { $now: 360 }, 'SMART 336'),
    claim('exp', 'in a year', { $now: 31_536_000 }, 'SMART 336'),
    claim('exp', 'in milliseconds', 1_900_000_000_000, 'SMART 336'),
    claim('exp', 'a text', '4102444800', 'RFC 7519 2'),
    claim('exp', 'negative', -1, 'RFC 7523 3 (4)'),
    claim('exp', 'zero', 0, 'RFC 7523 3 (4)'),
    claim('nbf', 'in a minute', { $now: 60 }, 'RFC 7523 3 (5)'),
    claim('nbf', 'a text', 'now', 'RFC 7519 2'),
    claim('iat', 'in a minute', { $now: 60 }, 'RFC 7523 3 (6)'),
    claim('iat', 'a text', 'now', 'RFC 7519 2'),
    bad(
      'fapi2-aud-the-token-url',
      'FAPI2 5.3.2.1',
      'the token URL where only the issuer is taken',
      edited(fapi2, { claims: { aud: '{tokenUrl}' } }),
      'fapi2',
    ),
    bad(
      'fapi2-aud-both',
      'FAPI2 5.3.2.1',
      'issuer and token URL',
      edited(fapi2, { claims: { aud: ['{issuer}', '{tokenUrl}'] } }),
      'fapi2',
    ),
  ],
}

const shown = (jwt: Jwt): Step['request'] => token(formOf({ jwt: { ...jwt, saveAs: 'assertion' } }))
const again = token(formOf('{saved:assertion}'))
const inSkew = edited(smart, { claims: { exp: { $now: -10 } } })
const several = (id: string, requirements: string[], about: string, steps: Step[]): Vector => ({
  id,
  requirements,
  about,
  profile: 'smart',
  kind: steps.every(({ expect }) => expect.status.includes(200)) ? 'accepted' : 'refused',
  steps,
})
const replay: VectorFile = {
  family: 'replay',
  about: 'An assertion is shown once.',
  vectors: [
    several('replay-at-once', ['SMART 336'], 'the same assertion again', [
      { request: shown(smart), expect: accepted },
      { request: again, expect: refusedClient },
      { request: again, expect: refusedClient },
    ]),
    several('replay-in-the-skew', ['SMART 336'], 'one that has expired and is still within what clocks may differ by', [
      { request: shown(inSkew), expect: accepted },
      { request: again, expect: refusedClient },
    ]),
    several('replay-at-introspection', ['SMART 336'], 'the same assertion at another endpoint', [
      { request: shown(smart), expect: accepted },
      {
        request: { ...again, to: 'introspect', form: [...formOf('{saved:assertion}'), ['token', 'x']] },
        expect: refusedClient,
      },
    ]),
    several('replay-of-a-jti', ['SMART 336'], 'another assertion with the same jti', [
      { request: token(formOf({ jwt: edited(smart, { claims: { jti: 'jti-{run}' } }) })), expect: accepted },
      {
        request: token(formOf({ jwt: edited(smart, { claims: { jti: 'jti-{run}', exp: { $now: 200 } } }) })),
        expect: refusedClient,
      },
    ]),
    several('replay-after-a-bad-copy', ['SMART 336'], 'a copy with a bad signature does not use up the jti', [
      {
        request: token(
          formOf({
            jwt: {
              ...edited(smart, { claims: { jti: 'burn-{run}' } }),
              compact: '{header}.{payload}.{signatureFlipped}',
            },
          }),
        ),
        expect: refusedClient,
      },
      { request: token(formOf({ jwt: edited(smart, { claims: { jti: 'burn-{run}' } }) })), expect: accepted },
    ]),
  ],
}

const withToken = (...steps: Step[]): Step[] => [
  { request: shown(smart), expect: { ...accepted, save: 'access_token' } },
  ...steps,
]
const resource = (headers: [string, Value][], more: Partial<Step['request']> = {}): Step['request'] => ({
  to: 'resource',
  method: 'GET',
  headers,
  ...more,
})
const introspect = (tokenText: string, form = formOf({ jwt: smart })): Step['request'] => ({
  to: 'introspect',
  form: [...form, ['token', tokenText]],
})
const unauthorized = { status: [401] }
const tokens: VectorFile = {
  family: 'tokens',
  about: 'What is done with a token, and with what looks like one.',
  vectors: [
    several(
      'token-opens-the-resource',
      ['SMART 265', 'SMART 266', 'SMART 247'],
      'a good token in its header',
      withToken({ request: resource([['authorization', 'Bearer {saved:access_token}']]), expect: accepted }),
    ),
    several(
      'token-in-the-query',
      ['RFC 6750 5.3'],
      'a good token in the address',
      withToken({ request: resource([], { query: 'access_token={saved:access_token}' }), expect: unauthorized }),
    ),
    several(
      'token-by-basic',
      ['RFC 6750 2.1'],
      'a good token under another scheme',
      withToken({ request: resource([['authorization', 'Basic {saved:access_token}']]), expect: unauthorized }),
    ),
    several(
      'token-under-dpop',
      ['RFC 9449 7.1'],
      'a bearer token under the DPoP scheme',
      withToken({ request: resource([['authorization', 'DPoP {saved:access_token}']]), expect: unauthorized }),
    ),
    several(
      'token-altered',
      ['SMART 265'],
      'a good token with a letter more',
      withToken({ request: resource([['authorization', 'Bearer {saved:access_token}A']]), expect: unauthorized }),
    ),
    several('token-made-by-the-client', ['SMART 265'], 'a token that the client signed itself', [
      {
        request: resource(
          [
            [
              'authorization',
              {
                jwt: edited(
                  { ...smart, claims: { ...Object(smart.claims), client_id: '{clientId}', scope: 'chat' } },
                  { header: { typ: 'at+jwt' }, claims: { aud: '{issuer}' } },
                ),
              },
            ],
          ].map(([name, value]) => [name, value] as [string, Value]),
        ),
        expect: unauthorized,
      },
    ]),
    several('token-that-is-an-assertion', ['RFC 8725 3.11'], 'an assertion where a token belongs', [
      { request: shown(smart), expect: accepted },
      { request: resource([['authorization', 'Bearer {saved:assertion}']]), expect: unauthorized },
    ]),
    several(
      'token-as-an-assertion',
      ['RFC 8725 3.11'],
      'a token where an assertion belongs',
      withToken({ request: token(formOf('{saved:access_token}')), expect: refusedClient }),
    ),
    several(
      'introspection-of-a-good-one',
      ['SMART 271', 'SMART 272', 'SMART 273', 'SMART 274', 'SMART 275'],
      'active, with scope, client and expiry',
      withToken({
        request: introspect('{saved:access_token}'),
        expect: { ...accepted, members: { active: true, scope: 'chat', client_id: '{clientId}' } },
      }),
    ),
    several('introspection-of-another', ['SMART 272', 'RFC 7662 2.2'], 'not active', [
      { request: introspect('x'), expect: { ...accepted, members: { active: false } } },
    ]),
    several(
      'introspection-by-a-bearer',
      ['SMART 282'],
      'the caller shows a token instead of an assertion',
      withToken({
        request: {
          to: 'introspect',
          form: [['token', '{saved:access_token}']],
          headers: [['authorization', 'Bearer {saved:access_token}']],
        },
        expect: { ...accepted, members: { active: true } },
      }),
    ),
    several(
      'introspection-by-nobody',
      ['RFC 7662 4'],
      'without authentication',
      withToken({ request: { to: 'introspect', form: [['token', '{saved:access_token}']] }, expect: refusedClient }),
    ),
    several('introspection-by-a-bad-bearer', ['RFC 7662 2.3'], 'with a token that is none', [
      {
        request: { to: 'introspect', form: [['token', 'x']], headers: [['authorization', 'Bearer a.b.c']] },
        expect: unauthorized,
      },
    ]),
    several(
      'revocation',
      ['RFC 7009 2.1'],
      'a token that was taken back is not active',
      withToken({
        request: { to: 'revoke', form: [...formOf({ jwt: smart }), ['token', '{saved:access_token}']] },
        expect: accepted,
      }),
    ),
    several('revocation-of-nothing', ['RFC 7009 2.2'], 'a token that is none', [
      { request: { to: 'revoke', form: [...formOf({ jwt: smart }), ['token', 'x']] }, expect: accepted },
    ]),
    several(
      'revocation-by-nobody',
      ['RFC 7009 2.1'],
      'without authentication',
      withToken({ request: { to: 'revoke', form: [['token', '{saved:access_token}']] }, expect: refusedClient }),
    ),
  ],
}

/** As the OpenID FAPI 2 suite tries DPoP. */
const proofTo = (htu: string, htm: string, ath?: string): Jwt => ({
  key: 'dpop-es256',
  alg: 'ES256',
  header: { typ: 'dpop+jwt', alg: 'ES256', jwk: { $publicJwk: 'dpop-es256' } },
  claims: { jti: '{uuid}', htm, htu, iat: { $now: 0 }, ...(ath === undefined ? {} : { ath }) },
})
const tokenProof = proofTo('{tokenUrl}', 'POST')
const resourceProof = proofTo('{resourceUrl}', 'GET', '{sha256:access_token}')
const withProof = (proof: Value): Step['request'] => token(formOf({ jwt: fapi2 }), { headers: [['dpop', proof]] })
const bound: Step = {
  request: withProof({ jwt: tokenProof }),
  expect: { ...accepted, save: 'access_token', members: { token_type: 'DPoP' } },
}
const withBound = (...headers: [string, Value][]): Step['request'] =>
  resource([['authorization', 'DPoP {saved:access_token}'], ...headers])
const dpop = (id: string, rule: string, about: string, steps: Step[]): Vector => ({
  ...several(id, [rule.startsWith('RFC') ? rule : `RFC 9449 ${rule}`], about, steps),
  profile: 'fapi2',
})
const refusedProof = { status: [400], error: ['invalid_dpop_proof'] }
const badAtToken = (id: string, rule: string, about: string, proof: Jwt) =>
  dpop(`dpop-token-${id}`, rule, `at the token endpoint: ${about}`, [
    { request: withProof({ jwt: proof }), expect: refusedProof },
  ])
const badAtResource = (id: string, rule: string, about: string, proof: Jwt) =>
  dpop(`dpop-resource-${id}`, rule, `at the resource: ${about}`, [
    bound,
    { request: withBound(['dpop', { jwt: proof }]), expect: unauthorized },
  ])
const edits: readonly (readonly [id: string, rule: string, about: string, edit: Parameters<typeof edited>[1]])[] = [
  ['typ-missing', '4.3 (4)', 'no typ', { header: { typ: undefined } }],
  ['typ-jwt', '4.3 (4)', 'typ JWT', { header: { typ: 'JWT' } }],
  ['typ-nearly', '4.3 (4)', 'a typ that begins like the right one', { header: { typ: 'dpop+jwt+more' } }],
  ['alg-missing', '4.3 (5)', 'no alg', { header: { alg: undefined } }],
  ['alg-none', '4.3 (5)', 'alg none', { header: { alg: 'none' } }],
  ['jwk-missing', '4.3 (3)', 'no jwk', { header: { jwk: undefined } }],
  ['jwk-private', '4.3 (7)', 'a private jwk', { header: { jwk: { $privateJwk: 'dpop-es256' } } }],
  [
    'jwk-of-another',
    '4.3 (6)',
    'signed by another key than jwk',
    { header: { jwk: { $publicJwk: 'stranger-es256' } } },
  ],
  ['jti-missing', '4.3 (3)', 'no jti', { claims: { jti: undefined } }],
  ['htm-missing', '4.3 (3)', 'no htm', { claims: { htm: undefined } }],
  ['htm-wrong', '4.3 (8)', 'another method', { claims: { htm: 'PUT' } }],
  ['htu-missing', '4.3 (3)', 'no htu', { claims: { htu: undefined } }],
  ['htu-wrong', '4.3 (9)', 'another address', { claims: { htu: 'https://elsewhere.example/' } }],
  ['iat-missing', '4.3 (3)', 'no iat', { claims: { iat: undefined } }],
  ['iat-an-hour-ago', '4.3 (11)', 'iat an hour ago', { claims: { iat: { $now: -3_600 } } }],
  ['iat-in-an-hour', '4.3 (11)', 'iat in an hour', { claims: { iat: { $now: 3_600 } } }],
]
/** A proof by the RSA key, with an algorithm of its own. */
const byRsa = (proof: Jwt, alg: 'PS256' | 'RS256'): Jwt =>
  edited(proof, { header: { alg, jwk: { $publicJwk: 'fapi2-ps256' } }, signer: ['fapi2-ps256', alg] })
const opens = (id: string, rule: string, about: string, header: [string, Value]) =>
  dpop(id, rule, about, [bound, { request: withBound(header), expect: accepted }])
const dpopFile: VectorFile = {
  family: 'dpop',
  about: 'Tokens that are bound to a key (RFC 9449), as the OpenID FAPI 2 suite tries them.',
  vectors: [
    dpop('dpop-opens-the-resource', '7.1', 'token and call with fresh proofs', [
      bound,
      { request: withBound(['dpop', { jwt: resourceProof }]), expect: accepted },
    ]),
    dpop('dpop-opens-with-a-query', '4.3 (9)', 'query and fragment do not count', [
      bound,
      { request: { ...withBound(['dpop', { jwt: resourceProof }]), query: 'x=1' }, expect: accepted },
    ]),
    opens('dpop-header-in-capitals', 'RFC 9110 5.1', 'the name of a header has no case', [
      'DPOP',
      { jwt: resourceProof },
    ]),
    opens('dpop-htu-with-query-and-fragment', '4.3 (9)', 'an htu with a query and a fragment', [
      'dpop',
      { jwt: edited(resourceProof, { claims: { htu: '{resourceUrl}?a=b#c' } }) },
    ]),
    opens('dpop-htu-in-capitals', '4.3 (9)', 'an htu whose scheme and host are in capitals', [
      'dpop',
      { jwt: edited(resourceProof, { claims: { htu: '{resourceUrlInCapitals}' } }) },
    ]),
    opens('dpop-htu-with-its-port', '4.3 (9)', 'an htu that says the port of its scheme', [
      'dpop',
      { jwt: edited(resourceProof, { claims: { htu: '{resourceUrlWithPort}' } }) },
    ]),
    opens('dpop-unknown-members', '4.2', 'a proof that says more than is asked for', [
      'dpop',
      { jwt: edited(resourceProof, { header: { tx_id: 'a' }, claims: { tx_id_key: 'b' } }) },
    ]),
    dpop('dpop-opens-after-refusals', '7.1', 'a good proof after bad ones: they do not end the token', [
      bound,
      { request: withBound(), expect: unauthorized },
      {
        request: withBound(['dpop', { jwt: edited(resourceProof, { claims: { htm: 'PUT' } }) }]),
        expect: unauthorized,
      },
      { request: resource([['authorization', 'Bearer {saved:access_token}']]), expect: unauthorized },
      { request: withBound(['dpop', { jwt: resourceProof }]), expect: accepted },
    ]),
    dpop('dpop-iat-ten-seconds-off', '4.3 (11)', 'iat 10 seconds on both sides', [
      bound,
      ...[-10, 10].map((seconds): Step => ({
        request: withBound(['dpop', { jwt: edited(resourceProof, { claims: { iat: { $now: seconds } } }) }]),
        expect: accepted,
      })),
    ]),
    dpop('dpop-scheme-in-lower-case', 'RFC 9110 11.1', 'a scheme has no case', [
      bound,
      {
        request: resource([
          ['authorization', 'dpop {saved:access_token}'],
          ['dpop', { jwt: resourceProof }],
        ]),
        expect: accepted,
      },
    ]),
    dpop('dpop-introspection', '6.2', 'introspection tells the bound key', [
      bound,
      {
        request: { to: 'introspect', form: [...formOf({ jwt: fapi2 }), ['token', '{saved:access_token}']] },
        expect: { ...accepted, members: { active: true, token_type: 'DPoP' } },
      },
    ]),
    dpop('dpop-token-no-proof', '5', 'at the token endpoint: no proof', [
      { request: token(formOf({ jwt: fapi2 })), expect: refusedProof },
    ]),
    dpop('dpop-token-two-proofs', '4.3 (1)', 'at the token endpoint: two headers', [
      {
        request: token(formOf({ jwt: fapi2 }), {
          headers: [
            ['dpop', { jwt: tokenProof }],
            ['dpop', { jwt: tokenProof }],
          ],
        }),
        expect: refusedProof,
      },
    ]),
    dpop('dpop-token-no-jwt', '4.3 (2)', 'at the token endpoint: no JWT', [
      { request: withProof('proof'), expect: refusedProof },
    ]),
    dpop('dpop-token-replayed', '11.1', 'at the token endpoint: the same proof again', [
      { request: withProof({ jwt: { ...tokenProof, saveAs: 'proof' } }), expect: accepted },
      { request: withProof('{saved:proof}'), expect: refusedProof },
    ]),
    ...edits.map(([id, rule, about, edit]) => badAtToken(id, rule, about, edited(tokenProof, edit))),
    ...edits.map(([id, rule, about, edit]) => badAtResource(id, rule, about, edited(resourceProof, edit))),
    badAtResource('ath-missing', '4.3 (12)', 'no ath', edited(resourceProof, { claims: { ath: undefined } })),
    badAtResource(
      'ath-wrong',
      '4.3 (12)',
      'ath of another token',
      edited(resourceProof, { claims: { ath: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' } }),
    ),
    badAtResource(
      'other-key',
      '6.1',
      'a good proof of another key',
      edited(resourceProof, { header: { jwk: { $publicJwk: 'stranger-es256' } }, signer: ['stranger-es256', 'ES256'] }),
    ),
    badAtResource('of-the-token-endpoint', '4.3 (9)', 'a proof for the token endpoint', tokenProof),
    dpop('dpop-resource-two-parts', '4.3 (2)', 'at the resource: a JWS without its signature', [
      bound,
      {
        request: withBound(['dpop', { jwt: { ...resourceProof, compact: '{header}.{payload}' } }]),
        expect: unauthorized,
      },
    ]),
    badAtResource('signature-altered', '4.3 (6)', 'one octet of the signature is another', {
      ...resourceProof,
      compact: '{header}.{payload}.{signatureFlipped}',
    }),
    dpop('dpop-resource-rs256', '4.3 (5)', 'at the resource: RS256 by an RSA key, whose PS256 is taken', [
      {
        request: withProof({ jwt: byRsa(tokenProof, 'PS256') }),
        expect: { ...accepted, save: 'access_token', members: { token_type: 'DPoP' } },
      },
      { request: withBound(['dpop', { jwt: byRsa(resourceProof, 'PS256') }]), expect: accepted },
      { request: withBound(['dpop', { jwt: byRsa(resourceProof, 'RS256') }]), expect: unauthorized },
    ]),
    dpop('dpop-resource-no-proof', '7.1', 'at the resource: no proof', [
      bound,
      { request: withBound(), expect: unauthorized },
    ]),
    dpop('dpop-resource-two-proofs', '4.3 (1)', 'at the resource: two headers', [
      bound,
      { request: withBound(['dpop', { jwt: resourceProof }], ['dpop', { jwt: resourceProof }]), expect: unauthorized },
    ]),
    dpop('dpop-resource-replayed', '11.1', 'at the resource: the same proof again', [
      bound,
      { request: withBound(['dpop', { jwt: { ...resourceProof, saveAs: 'proof' } }]), expect: accepted },
      { request: withBound(['dpop', '{saved:proof}']), expect: unauthorized },
    ]),
    dpop('dpop-resource-as-bearer', '7.2', 'a bound token as a bearer’s', [
      bound,
      { request: resource([['authorization', 'Bearer {saved:access_token}']]), expect: unauthorized },
    ]),
    dpop('dpop-resource-as-bearer-with-proof', '7.2', 'a bound token as a bearer’s, with a good proof', [
      bound,
      {
        request: resource([
          ['authorization', 'Bearer {saved:access_token}'],
          ['dpop', { jwt: resourceProof }],
        ]),
        expect: unauthorized,
      },
    ]),
  ],
}

const keyKinds = [
  ['smart-es384', 'smart', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['smart-rs384', 'smart', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['fapi2-es256', 'fapi2', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['fapi2-ps256', 'fapi2', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['dpop-es256', undefined, () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['stranger-es384', undefined, () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['stranger-es256', undefined, () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
] as const

export const vectorFiles: readonly VectorFile[] = [
  acceptedFile,
  requests,
  headerFamily,
  parts,
  claims,
  replay,
  tokens,
  dpopFile,
]

async function main(): Promise<void> {
  await mkdir(folder, { recursive: true })
  const write = (name: string, value: unknown) =>
    writeFile(new URL(name, folder), `${JSON.stringify(value, null, 2)}\n`)
  if (!existsSync(new URL('keys.json', folder))) {
    const keys: KeyFile = keyKinds.map(([name, registeredFor, make]) => ({
      name,
      ...(registeredFor === undefined ? {} : { registeredFor }),
      privateJwk: { kty: '', ...make().privateKey.export({ format: 'jwk' }), kid: name },
    }))
    await write('keys.json', keys)
  }
  for (const file of vectorFiles) await write(`${file.family}.json`, file)
  const all = vectorFiles.flatMap(({ vectors }) => vectors)
  console.log(format('%d vectors, %d of them refused', all.length, all.filter(({ kind }) => kind === 'refused').length))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
