import { describe, expect, test } from 'vitest'
import { instant } from '../../kernel/index.ts'
import type { ClientFacts } from '../client.ts'
import { checkAssertion } from './check-assertion.ts'

const now = instant(Date.UTC(2026, 10, 28, 12))
const seconds = now / 1000
const audiences = { issuer: 'https://gateway.example', tokenUrl: 'https://gateway.example/oauth/token' }
const client: ClientFacts = {
  clientId: 'a.b',
  tenant: { tenantId: '0190a0e0-0000-7000-8000-000000000001', tenant: 'a', kind: 'hospital', endedAt: undefined },
  application: {
    application: 'b',
    audience: 'clinician',
    facilities: [],
    purposes: [],
    scopes: [],
    endedAt: undefined,
  },
  profile: 'smart',
  senderConstraint: undefined,
  certificates: [],
  keys: { url: 'https://a.example/jwks' },
  revision: 1,
  endedAt: undefined,
  revokedTokens: new Set(),
}
const good = {
  iss: 'a.b',
  sub: 'a.b',
  aud: audiences.tokenUrl,
  exp: seconds + 60,
  nbf: undefined,
  iat: undefined,
  jti: 'x',
}
const header = { alg: 'ES384', kid: 'k', typ: 'JWT' }
const check = (claims: object = {}, of: Partial<ClientFacts> = {}, more: object = {}) =>
  checkAssertion(
    { header: { ...header, ...more }, payload: new Uint8Array(), text: '' },
    { ...good, ...claims },
    { client: { ...client, ...of }, audiences, now },
  )

test('an assertion without a mistake is good', () => {
  expect(check()).toEqual([])
  expect(check({}, {}, { jku: 'https://a.example/jwks' })).toEqual([])
})

describe('times, to the millisecond', () => {
  test.each([
    ['exp', -30, ['expired']],
    ['exp', -29.999, []],
    ['exp', 330, []],
    ['exp', 330.001, ['expires_too_late']],
    ['nbf', 30, []],
    ['nbf', 30.001, ['not_yet_valid']],
    ['iat', 30, []],
    ['iat', 30.001, ['not_yet_valid']],
    ['iat', -86_400, []],
  ])('%s at %d seconds from now: %j', (claim, from, reasons) => {
    expect(check({ [claim]: seconds + from })).toEqual(reasons)
  })
})

test('everything that is wrong is said, for the log', () => {
  expect(check({ sub: 'c', aud: 'd', exp: 0, jti: 7 }, {}, { alg: 'none', kid: 1, jwk: {}, crit: [] })).toEqual([
    'algorithm_not_allowed',
    'key_name_missing',
    'key_in_header',
    'critical_header',
    'subject_wrong',
    'audience_wrong',
    'expired',
    'jti_missing',
  ])
})

test.each([
  ['the client', { endedAt: now }],
  ['its application', { application: { ...client.application, endedAt: now } }],
  ['its tenant', { tenant: { ...client.tenant, endedAt: now } }],
])('%s has ended at this moment', (_, of) => {
  expect(check({}, of)).toEqual(['client_ended'])
})
