import { expect, test } from 'vitest'
import { readDeclarations } from './read-declarations.ts'
import { filesOf, sampleTree, withEdit } from './sample-tree.ts'

const file = 'lakeside/tenant.yaml'
/** The sample's application with a client, on the 13th line of its file. */
const withClient = (client: string) =>
  withEdit(sampleTree, file, '    scopes: [chat, infer]\n', `    scopes: [chat, infer]\n    client: ${client}\n`)

function problemsOf(client: string): readonly string[] {
  const read = readDeclarations(filesOf(withClient(client)))
  return read.ok ? [] : read.error.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

const ecX = 'A'.repeat(64)
const ec = `kty: EC, kid: a, crv: P-384, x: ${ecX}, y: ${ecX}`
const thumbprint = 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0'
const rsa = (octets: number) => `${'_'.repeat(Math.ceil((octets * 8) / 6) - 1)}w`

test.each([
  ['keys by address', '{ profile: smart, jwksUri: "https://ehr.example/jwks.json" }'],
  ['keys in the file', `{ profile: smart, jwks: { keys: [{ ${ec} }] } }`],
  ['an RSA key of 2,048 bits', `{ profile: fapi2, jwks: { keys: [{ kty: RSA, kid: a, e: AQAB, n: ${rsa(256)} }] } }`],
  [
    'keys, and tokens bound to a certificate',
    '{ profile: fapi2, senderConstraint: mtls, jwksUri: "https://ehr.example/jwks.json" }',
  ],
  ['a certificate and no key', `{ profile: fapi2, senderConstraint: mtls, certificates: [${thumbprint}] }`],
])('a client may have %s', (_, client) => {
  expect(problemsOf(client)).toEqual([])
})

test.each([
  ['no keys', '{ profile: smart }', '13:5 client has no keys'],
  [
    'keys in two places',
    `{ profile: smart, jwksUri: "https://a.example", jwks: { keys: [{ ${ec} }] } }`,
    '13:5 client has its keys in two places',
  ],
  ['a private member', `{ profile: smart, jwks: { keys: [{ ${ec}, d: AAAA }] } }`, '"d" is a private member: it must'],
  ['a symmetric key', '{ profile: smart, jwks: { keys: [{ kty: oct, kid: a, k: AAAA }] } }', '"k" is a private member'],
  ['a key without a name', '{ profile: smart, jwks: { keys: [{ kty: EC }] } }', 'kid is missing'],
  ['a key named twice', `{ profile: smart, jwks: { keys: [{ ${ec} }, { ${ec} }] } }`, '"a" stands here twice'],
  [
    'a key of another profile',
    `{ profile: fapi2, jwks: { keys: [{ ${ec} }] } }`,
    'this key fits none of the algorithms',
  ],
  [
    'a weak RSA key',
    `{ profile: smart, jwks: { keys: [{ kty: RSA, kid: a, e: AQAB, n: ${rsa(128)} }] } }`,
    'this key has 1024 bits',
  ],
  [
    'an exponent of one',
    `{ profile: smart, jwks: { keys: [{ kty: RSA, kid: a, e: AQ, n: ${rsa(256)} }] } }`,
    'this key has an exponent that is no good',
  ],
  [
    'a coordinate cut short',
    `{ profile: smart, jwks: { keys: [{ kty: EC, kid: a, crv: P-384, x: AAAA, y: AAAA }] } }`,
    'this key lacks',
  ],
  [
    'a bearer of a bound kind',
    '{ profile: smart, senderConstraint: mtls, jwksUri: "https://a.example" }',
    'tokens of the profile smart are a bearer',
  ],
  [
    'a certificate beside DPoP',
    `{ profile: fapi2, jwksUri: "https://a.example", certificates: [${thumbprint}] }`,
    'certificates are for mutual TLS',
  ],
  ['mutual TLS with neither key nor certificate', '{ profile: fapi2, senderConstraint: mtls }', 'client has no keys'],
  [
    'a thumbprint in hex',
    `{ profile: fapi2, senderConstraint: mtls, certificates: ["${'ab'.repeat(32)}"] }`,
    'does not fit certificates',
  ],
  ['a password in the address', '{ profile: smart, jwksUri: "https://me:pw@a.example" }', 'jwksUri'],
  ['another scheme', '{ profile: smart, jwksUri: "file:///etc/passwd" }', 'jwksUri'],
])('%s is refused with its line', (_, client, told) => {
  const problems = problemsOf(client)
  expect(problems.join('\n')).toContain(told)
  expect(problems.every((problem) => problem.startsWith('13:'))).toBe(true)
})

test('what stood in the place of a secret is not repeated', () => {
  expect(problemsOf(`{ profile: smart, jwks: { keys: [{ ${ec}, d: canary-of-a-key }] } }`).join()).not.toContain(
    'canary',
  )
})
