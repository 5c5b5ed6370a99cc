// What an access token costs: to get one, and beside each call. `npm run bench:tokens`, about a minute.
import { performance } from 'node:perf_hooks'
import { calculateJwkThumbprint } from 'jose'
import {
  authenticate,
  authenticateClient,
  issueToken,
  mintApiKey,
  PublicJwk,
  readSigningKeys,
  secretHmac,
  RefusedAddresses,
  SeenProofs,
  type AuthenticatedClient,
  type ClientFacts,
  type IdentityNeeds,
  type KeyFacts,
} from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { openDatabase } from '../../src/db/index.ts'
import { nodeHmac } from '../../src/platform/node/ports.ts'
import { assertionType, makeClientKey, signAssertion } from '../../test/support/client-keys.ts'
import { openGround } from './ground.ts'

const times = 5_000
const issuer = 'https://gateway.example'
const pepper = new TextEncoder().encode('pepper '.repeat(8))
const tenant = {
  tenantId: '0190a0e0-0000-7000-8000-000000000001',
  tenant: 'a',
  kind: 'hospital',
  endedAt: undefined,
} as const
const application = {
  application: 'b',
  audience: 'clinician',
  facilities: [{ facility: 'general', region: 'us-east' }],
  purposes: ['TREAT'],
  scopes: ['chat'],
  endedAt: undefined,
} as const
const client: ClientFacts = {
  clientId: 'a.b',
  tenant,
  application,
  profile: 'smart',
  senderConstraint: undefined,
  certificates: [],
  keys: { registered: [] },
  revision: 1,
  endedAt: undefined,
  revokedTokens: new Set(),
}
const key = mintApiKey(new Uint8Array(42).fill(7))
const keyFacts: KeyFacts = {
  keyId: key.keyId,
  tenant,
  application,
  secretHmac: secretHmac(nodeHmac, pepper, key.text.reveal()),
  pepperVersion: 1,
  scopes: application.scopes,
  expiresAt: instant(Date.now() + 86_400_000),
  revokedAt: undefined,
}
const signing = await readSigningKeys('a signing key of the benchmark 0123456789abcdef')
const needs: IdentityNeeds = {
  hmac: nodeHmac,
  pepper: () => pepper,
  findKey: () => keyFacts,
  findKeyAgain: () => Promise.resolve(keyFacts),
  findClient: () => client,
  findClientAgain: () => Promise.resolve(client),
  issuer: () => issuer,
  signing: () => Promise.resolve(signing),
  proofs: new SeenProofs(),
  shareProof: () => Promise.resolve('first'),
  refusedAddresses: new RefusedAddresses(),
  monotonicMs: () => performance.now(),
}

const now = () => instant(Date.now())
const issue = (thumbprint?: string) =>
  issueToken(signing, { facts: client } as AuthenticatedClient, {
    issuer,
    scopes: ['chat'],
    thumbprint,
    certificate: undefined,
    jti: crypto.randomUUID(),
    now: now(),
  })

async function measure(title: string, run: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < 500; index++) await run(-index - 1)
  const took: number[] = []
  for (let index = 0; index < times; index++) {
    const began = performance.now()
    await run(index)
    took.push((performance.now() - began) * 1000)
  }
  took.sort((a, b) => a - b)
  const at = (part: number) => (took[Math.floor(took.length * part)] ?? 0).toFixed(0).padStart(6)
  console.log(`${title.padEnd(52)} p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`)
}

const shown = (authorization: string, proof?: string) => ({
  authorization,
  proof,
  certificate: undefined,
  address: undefined,
  method: 'POST',
  path: '/v1/chat/completions',
})
async function mustPass(credential: ReturnType<typeof shown>): Promise<void> {
  const found = await authenticate(needs, credential, now())
  if (!found.ok) throw new Error(found.error.reason)
}

const { text } = await issue()
const fresh = await Promise.all(Array.from({ length: times + 500 }, () => issue()))
await measure('an API key', () => mustPass(shown(`Bearer ${key.text.reveal()}`)))
await measure('a bearer token, seen before', () => mustPass(shown(`Bearer ${text}`)))
await measure('a bearer token, new each time', (index) =>
  mustPass(shown(`Bearer ${fresh[index < 0 ? times - index - 1 : index]?.text ?? ''}`)),
)

const proofKey = makeClientKey('ES256')
const jwk = Object.fromEntries(Object.entries(proofKey.publicJwk).filter(([name]) => name !== 'kid'))
const bound = await issue(await calculateJwkThumbprint(jwk))
const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(bound.text))
const proofs = await Promise.all(
  Array.from({ length: times + 500 }, () =>
    signAssertion(proofKey, {
      clientId: 'a.b',
      audience: '',
      header: { typ: 'dpop+jwt', jwk },
      claims: {
        htm: 'POST',
        htu: `${issuer}/v1/chat/completions`,
        iat: Math.floor(Date.now() / 1000),
        ath: Buffer.from(digest).toString('base64url'),
      },
    }),
  ),
)
await measure('a bound token, with a fresh proof each time', (index) =>
  mustPass(shown(`DPoP ${bound.text}`, proofs[index < 0 ? times - index - 1 : index] ?? '')),
)
await measure('signing a token', () => issue())

// The whole of a grant but HTTP: checks, signature, the jti in a durable database, the token.
const ground = await openGround({ tenants: 1 })
const database = openDatabase({
  url: ground.appUrl,
  applicationName: 'bench',
  tenantConnectionsMax: 1,
  systemConnectionsMax: 4,
  connectTimeoutMs: 3_000,
  statementTimeoutMs: 10_000,
})
try {
  const audiences = { issuer, tokenUrl: `${issuer}/oauth/token` }
  for (const alg of ['ES384', 'RS384'] as const) {
    const clientKey = makeClientKey(alg)
    const registered = { ...client, keys: { registered: [PublicJwk.parse(clientKey.publicJwk)] } }
    const granting = {
      database,
      findClient: () => registered,
      findClientAgain: () => Promise.resolve(registered),
      publishedKeysOf: () => Promise.resolve(undefined),
      refusedAddresses: new RefusedAddresses(),
      monotonicMs: () => performance.now(),
    }
    const assertions = await Promise.all(
      Array.from({ length: times + 500 }, () =>
        signAssertion(clientKey, { clientId: client.clientId, audience: audiences.tokenUrl }),
      ),
    )
    await measure(`a token for an assertion, ${alg}, jti written`, async (index) => {
      const assertion = assertions[index < 0 ? times - index - 1 : index]
      const shownAssertion = { type: assertionType, assertion, clientId: undefined }
      const known = await authenticateClient(granting, shownAssertion, {
        audiences,
        now: now(),
        address: undefined,
        also: [],
      })
      if (!known.ok) throw new Error(known.error.join(', '))
      await issueToken(signing, known.value, {
        issuer,
        scopes: ['chat'],
        thumbprint: undefined,
        certificate: undefined,
        jti: crypto.randomUUID(),
        now: now(),
      })
    })
  }
} finally {
  await database.close()
  await ground.stop()
}
