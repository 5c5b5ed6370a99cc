import { expect, test } from 'vitest'
import { instant } from '../kernel/index.ts'
import { nodeHmac } from '../platform/node/ports.ts'
import { issueToken, openToken, tokenSeconds } from './access-token.ts'
import type { AuthenticatedClient } from './assertion/authenticate-client.ts'
import type { ClientFacts } from './client.ts'
import { readSigningKeys, type SigningKeys } from './signing-keys.ts'

const now = instant(Date.UTC(2026, 10, 28, 12))
const issuer = 'https://gateway.example'
const client: ClientFacts = {
  clientId: 'lakeside.ehr',
  tenant: {
    tenantId: '0190a0e0-0000-7000-8000-000000000001',
    tenant: 'lakeside',
    kind: 'hospital',
    endedAt: undefined,
  },
  application: {
    application: 'ehr',
    audience: 'clinician',
    facilities: [{ facility: 'general', region: 'us-east' }],
    purposes: ['TREAT'],
    scopes: ['chat', 'embeddings'],
    endedAt: undefined,
  },
  profile: 'smart',
  senderConstraint: undefined,
  certificates: [],
  keys: { registered: [] },
  revision: 3,
  endedAt: undefined,
  revokedTokens: new Set(),
}
const jti = '0190a0e0-0000-7000-8000-000000000002'
const oldSecret = 'a signing key of before: 0123456789abcdef'
const newSecret = 'a signing key of today: 0123456789abcdef'

const issue = async (signing: SigningKeys) =>
  issueToken(signing, { facts: client } as AuthenticatedClient, {
    issuer,
    scopes: ['chat'],
    thumbprint: undefined,
    certificate: undefined,
    jti,
    now,
  })
const open = async (signing: SigningKeys, text: string, of: ClientFacts | undefined = client, at = now) => {
  const needs = {
    hmac: nodeHmac,
    issuer: () => issuer,
    signing: () => Promise.resolve(signing),
    findClient: () => of,
    findClientAgain: () => Promise.resolve(undefined),
  }
  const held = await openToken(needs, text, at)
  if (held.ok) return 'held'
  return held.error.reason === 'token_expired' ? 'expired' : held.error.detail
}

test('what the key of before has signed is good while it stands beside the new one, and not after', async () => {
  const { text } = await issue(await readSigningKeys(oldSecret))
  expect(await open(await readSigningKeys(`${newSecret},${oldSecret}`), text)).toBe('held')
  expect(await open(await readSigningKeys(newSecret), text)).toBe('signature')
})

test('a token lasts to the second that it says, also when it was verified before', async () => {
  const signing = await readSigningKeys(newSecret)
  const { text } = await issue(signing)
  for (const [from, outcome] of [
    [0, 'held'],
    [tokenSeconds * 1000 - 1, 'held'],
    [tokenSeconds * 1000, 'expired'],
    [-6_000, 'claims'],
  ] as const)
    expect([from, await open(signing, text, client, instant(now + from))]).toEqual([from, outcome])
})

test.each([
  ['its client has ended', { ...client, endedAt: now }, 'client'],
  ['its application has ended', { ...client, application: { ...client.application, endedAt: now } }, 'client'],
  ['its tenant has ended', { ...client, tenant: { ...client.tenant, endedAt: now } }, 'client'],
  ['its client has changed', { ...client, revision: 4 }, 'client_changed'],
  ['it was taken back', { ...client, revokedTokens: new Set([jti]) }, 'revoked'],
])('a token is dead when %s', async (_, of, detail) => {
  const signing = await readSigningKeys(newSecret)
  expect(await open(signing, (await issue(signing)).text, of)).toBe(detail)
})

test('a changed letter anywhere is refused', async () => {
  const signing = await readSigningKeys(newSecret)
  const { text } = await issue(signing)
  for (let at = 0; at < text.length; at += 7) {
    const altered = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    expect([at, await open(signing, altered)]).not.toEqual([at, 'held'])
  }
})
