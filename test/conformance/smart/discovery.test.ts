import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemTransaction, tenantTransaction } from '../../../src/db/index.ts'
import { readSigningKeys } from '../../../src/identity/index.ts'
import { instant } from '../../../src/kernel/index.ts'
import { actOnLicense } from '../../../src/licensing/index.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm } from '../../support/client-keys.ts'
import { openHouse, testSigningKey, tester, type House } from '../../support/house.ts'

const key = makeClientKey('ES384')
let house: House
beforeAll(async () => {
  const client = clientYaml('smart', [key])
  house = await openHouse({
    replace: {
      'lakeside/tenant.yaml': (text) =>
        text.replace('scopes: [chat, embeddings] }', `scopes: [chat, embeddings], client: ${client} }`),
      'prairie/tenant.yaml': (text) => text.replace('scopes: [chat] }', `scopes: [chat], client: ${client} }`),
    },
  })
})
afterAll(() => house.stop())

describe('discovery (SMART 228, SMART 285, SMART 286, SMART 287, SMART 288, SMART 289)', () => {
  test.each(['/.well-known/smart-configuration', '/.well-known/oauth-authorization-server'])('%s', async (path) => {
    for (const accept of ['*/*', 'text/html', 'application/fhir+xml']) {
      const response = await fetch(house.url + path, { headers: { accept } })
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
      expect(await response.json()).toMatchObject({
        issuer: house.url,
        token_endpoint: `${house.url}/oauth/token`,
        jwks_uri: `${house.url}/.well-known/jwks.json`,
        introspection_endpoint: `${house.url}/oauth/introspect`,
        revocation_endpoint: `${house.url}/oauth/revoke`,
        grant_types_supported: ['client_credentials'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: expect.arrayContaining(['RS384', 'ES384']),
        scopes_supported: ['chat', 'embeddings', 'infer', 'invoices'],
        code_challenge_methods_supported: ['S256'],
      })
    }
  })

  test('SMART’s says what it can', async () => {
    const response = await fetch(`${house.url}/.well-known/smart-configuration`)
    expect(await response.json()).toMatchObject({
      capabilities: ['client-confidential-asymmetric', 'permission-v2'],
    })
  })

  test('without a public address there are no tokens in production, and nothing says that there were', async () => {
    const secret = 'a secret of 64 hexadecimal digits stands here 0123456789abcdef'
    const production = await openHouse({
      environment: {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        DATABASE_URL: 'postgres://given.by.the.house',
        OWNER_TOKEN: secret,
        KEY_PEPPER: secret,
        SIGNING_KEY: secret,
      },
    })
    try {
      const get = await fetch(`${production.url}/.well-known/smart-configuration`)
      const post = await fetch(`${production.url}/oauth/token`, { method: 'POST', body: tokenForm('x') })
      expect([get.status, post.status]).toEqual([404, 404])
    } finally {
      await production.stop()
    }
  })
})

const Token = z.object({ access_token: z.string() })
const assertionOf = (clientId: string) => signAssertion(key, { clientId, audience: `${house.url}/oauth/token` })
const tokenOf = async (clientId: string): Promise<string> => {
  const body = tokenForm(await assertionOf(clientId))
  return Token.parse(await (await fetch(`${house.url}/oauth/token`, { method: 'POST', body })).json()).access_token
}
const ask = async (clientId: string, scope: string): Promise<Response> =>
  fetch(`${house.url}/oauth/token`, { method: 'POST', body: tokenForm(await assertionOf(clientId), { scope }) })
const introspect = async (by: string, token: string): Promise<unknown> => {
  const body = new URLSearchParams({ ...Object.fromEntries(tokenForm(await assertionOf(by))), token })
  return (await fetch(`${house.url}/oauth/introspect`, { method: 'POST', body })).json()
}

describe('what is registered', () => {
  test('a client is who was declared, under the id that it was given, with the scopes of its declaration (SMART 240, SMART 316)', async () => {
    const id = 'lakeside.portal'
    expect((await ask(id, 'chat')).status).toBe(401)
    await house.declare({
      'lakeside/tenant.yaml': (text) =>
        text
          .replace(
            'scopes: [chat, embeddings] }',
            `scopes: [chat, embeddings], client: ${clientYaml('smart', [key])} }`,
          )
          .replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('smart', [key])} }`),
      'prairie/tenant.yaml': (text) =>
        text.replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('smart', [key])} }`),
    })
    expect(await (await ask(id, 'chat')).json()).toMatchObject({ scope: 'chat' })
    expect(await (await ask(id, 'chat embeddings')).json()).toMatchObject({ error: 'invalid_scope' })
  })

  test('the answer says which scopes were granted, once each (SMART 258, SMART 259)', async () => {
    expect(await (await ask('lakeside.ehr', 'embeddings chat  embeddings')).json()).toMatchObject({
      scope: 'embeddings chat',
    })
  })

  test('no other tenant can change its keys, whatever a query says (SMART 305)', async () => {
    const { rows } = await house.database.systemPool.query(`select tenant_id from tenant where tenant = 'prairie'`)
    const { tenant_id: prairie } = z.object({ tenant_id: z.uuid() }).parse(rows[0])
    const jwks = JSON.stringify({ keys: [makeClientKey('ES384').publicJwk] })
    const changed = await tenantTransaction(house.database, prairie, (tx) =>
      tx.updateTable('client').set({ jwks }).where('client_id', '=', 'lakeside.ehr').executeTakeFirst(),
    )
    expect(changed.numUpdatedRows).toBe(0n)
    expect((await ask('lakeside.ehr', 'chat')).status).toBe(200)
  })
})

describe('introspection', () => {
  test('tells a tenant of its own tokens, and of no other’s (SMART 283)', async () => {
    const token = await tokenOf('lakeside.ehr')
    expect(await introspect('lakeside.ehr', token)).toMatchObject({
      active: true,
      iss: house.url,
      aud: house.url,
      organization_id: 'lakeside',
      application: 'ehr',
      facilities: ['general', 'north'],
      audience: 'clinician',
      purpose_of_use: ['TREAT', 'HOPERAT'],
    })
    expect(await introspect('prairie.trial', token)).toEqual({ active: false })
  })

  test('a token of a license that is not in force is not active', async () => {
    const token = await tokenOf('prairie.trial')
    expect(await introspect('prairie.trial', token)).toMatchObject({ active: true })
    await systemTransaction(house.database, 'administer', (tx) =>
      actOnLicense(tx, {
        license: 'LIC-PRAIRIE',
        act: 'suspend',
        reason: 'a test',
        until: undefined,
        actor: tester,
        now: instant(Date.now()),
      }),
    )
    await expect
      .poll(() => introspect('prairie.trial', token), { timeout: 1_000, interval: 50 })
      .toEqual({ active: false })
  })

  test('an API key introspects nothing', async () => {
    const response = await fetch(`${house.url}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await house.key('lakeside/ehr')}` },
      body: new URLSearchParams({ token: await tokenOf('lakeside.ehr') }),
    })
    expect(response.status).toBe(401)
  })
})

describe('a token that our key has signed (SMART 265)', () => {
  const seconds = Math.floor(Date.now() / 1000)
  const good = () => ({
    iss: house.url,
    sub: 'lakeside.ehr',
    client_id: 'lakeside.ehr',
    aud: house.url,
    iat: seconds,
    exp: seconds + 300,
    jti: crypto.randomUUID(),
    scope: 'chat',
    organization_id: 'lakeside',
    application: 'ehr',
    facilities: [],
    audience: 'clinician',
    purpose_of_use: [],
    client_revision: 1,
  })
  async function signed(claims: object, header: object = {}): Promise<string> {
    const { current } = await readSigningKeys(testSigningKey)
    return new SignJWT({ ...good(), ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid: current.kid, typ: 'at+jwt', ...header })
      .sign(current.privateKey)
  }
  const Refused = z.object({ error: z.object({ code: z.string() }) })
  async function use(token: string): Promise<string> {
    const response = await fetch(`${house.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })
    return response.ok ? 'answered' : Refused.parse(await response.json()).error.code
  }

  test.each([
    ['is good', {}, {}, 'answered'],
    ['has expired', { iat: seconds - 301, exp: seconds - 1 }, {}, 'token_expired'],
    ['lasts longer than five minutes', { exp: seconds + 301 }, {}, 'invalid_token'],
    ['is not of this time yet', { iat: seconds + 60, exp: seconds + 120 }, {}, 'invalid_token'],
    ['is for somebody else', { aud: 'https://elsewhere.example' }, {}, 'invalid_token'],
    ['is of another issuer', { iss: 'https://elsewhere.example' }, {}, 'invalid_token'],
    ['is of a client that does not exist', { client_id: 'lakeside.nobody' }, {}, 'invalid_token'],
    ['is of another revision of its client', { client_revision: 2 }, {}, 'invalid_token'],
    ['lacks its id', { jti: undefined }, {}, 'invalid_token'],
    ['is a license document', {}, { typ: 'license+jwt' }, 'invalid_token'],
    ['has no type', {}, { typ: undefined }, 'invalid_token'],
    ['names no key', {}, { kid: undefined }, 'invalid_token'],
    ['names another key', {}, { kid: 'unknown' }, 'invalid_token'],
  ])('and that %s', async (_, claims, header, code) => {
    expect(await use(await signed(claims, header))).toBe(code)
  })

  test('and that says more scopes than its application has opens no more (SMART 266)', async () => {
    const response = await fetch(`${house.url}/v2/models/ecg-low-ef/infer`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await signed({ scope: 'chat embeddings infer admin' })}` },
      body: JSON.stringify({ inputs: [{ name: 'ecg', shape: [1, 1], datatype: 'FP32', data: [0] }] }),
    })
    expect([response.status, Refused.parse(await response.json()).error.code]).toEqual([403, 'policy_denied'])
  })
})
