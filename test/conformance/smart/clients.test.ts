import { createServer } from 'node:http'
import * as oauth from 'oauth4webapi'
import * as openidClient from 'openid-client'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openPort } from '../../../src/platform/node/open-port.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm } from '../../support/client-keys.ts'
import { openHouse, type House } from '../../support/house.ts'

/** Clients that others have written, unmodified, from discovery to an answer of the model. */
const smartKey = makeClientKey('ES384')
const fapiKey = makeClientKey('ES256')
const publishedKey = makeClientKey('RS384')
let house: House
let keys: { readonly url: string; stop(): Promise<void> }

beforeAll(async () => {
  keys = await publishKeys()
  house = await openHouse({
    environment: { LEASE_SECONDS: '60' },
    replace: {
      'lakeside/tenant.yaml': (text) =>
        text
          .replace(
            'scopes: [chat, embeddings] }',
            `scopes: [chat, embeddings], client: ${clientYaml('smart', [smartKey])} }`,
          )
          .replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('fapi2', [fapiKey])} }`),
      'prairie/tenant.yaml': (text) =>
        text.replace('scopes: [chat] }', `scopes: [chat], client: ${clientYaml('smart', keys.url)} }`),
    },
  })
})
afterAll(async () => {
  await house.stop()
  await keys.stop()
})

const Token = z.object({ access_token: z.string(), token_type: z.string(), expires_in: z.int(), scope: z.string() })

describe('an unmodified client', () => {
  test('by hand, as SMART says it, and the OpenAI SDK with the token', async () => {
    const audience = `${house.url}/oauth/token`
    const assertion = await signAssertion(smartKey, { clientId: 'lakeside.ehr', audience })
    const response = await fetch(audience, { method: 'POST', body: tokenForm(assertion) })
    expect(response.status).toBe(200)
    expect([response.headers.get('cache-control'), response.headers.get('pragma')]).toEqual(['no-store', 'no-cache'])
    const token = Token.parse(await response.json())
    expect(token).toMatchObject({ token_type: 'bearer', expires_in: 300, scope: 'chat' })
    await expectAnswer(token.access_token)
  })

  test('of SMART, whose keys stand at its address (SMART 296, SMART 339)', async () => {
    const audience = `${house.url}/oauth/token`
    const assertion = await signAssertion(publishedKey, {
      clientId: 'prairie.trial',
      audience,
      header: { jku: keys.url },
    })
    const response = await fetch(audience, { method: 'POST', body: tokenForm(assertion) })
    expect(response.status).toBe(200)
    await expectAnswer(Token.parse(await response.json()).access_token)
  })

  /** It cannot be had from a registry: its request is rebuilt, member by member and in its order. */
  test('as smart-on-fhir’s bulk-data client asks, for five whole minutes and without discovery', async () => {
    const audience = `${house.url}/oauth/token`
    const now = Math.round(Date.now() / 1000)
    const assertion = await signAssertion(smartKey, {
      clientId: 'lakeside.ehr',
      audience,
      claims: { exp: now + 300, iat: now, jti: crypto.randomUUID().replaceAll('-', '').slice(0, 20) },
    })
    const { scope = '', ...others } = Object.fromEntries(tokenForm(assertion))
    const body = new URLSearchParams({ scope, ...others })
    const response = await fetch(audience, { method: 'POST', body, headers: { accept: 'application/json' } })
    expect(response.status).toBe(200)
    await expectAnswer(Token.parse(await response.json()).access_token)
  })

  test('oauth4webapi: discovery, private_key_jwt, DPoP, and a call of the model', async () => {
    const issuer = new URL(house.url)
    const options = { [oauth.allowInsecureRequests]: true, algorithm: 'oauth2' } as const
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
    const client = { client_id: 'lakeside.portal' }
    const key = await importPrivate(fapiKey.privateKey, { name: 'ECDSA', namedCurve: 'P-256' })
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      oauth.PrivateKeyJwt({ key, kid: fapiKey.kid }),
      { scope: 'chat' },
      { ...options, DPoP },
    )
    const token = await oauth.processClientCredentialsResponse(server, client, response)
    expect(token).toMatchObject({ token_type: 'dpop', expires_in: 300, scope: 'chat' })
    const chat = (headers?: Headers) =>
      oauth.protectedResourceRequest(
        token.access_token,
        'POST',
        new URL(`${house.url}/v1/chat/completions`),
        headers,
        JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
        { ...options, DPoP },
      )
    expect((await chat()).status).toBe(200)
    expect((await chat()).status).toBe(200)
    const downgraded = await fetch(`${house.url}/v1/models`, {
      headers: { authorization: `Bearer ${token.access_token}` },
    })
    expect(downgraded.status).toBe(401)
    expect(downgraded.headers.get('www-authenticate')).toContain('DPoP')
  })

  test('openid-client: discovery, a token, introspection (SMART 276), revocation', async () => {
    const key = await importPrivate(fapiKey.privateKey, { name: 'ECDSA', namedCurve: 'P-256' })
    const config = await openidClient.discovery(
      new URL(house.url),
      'lakeside.portal',
      undefined,
      openidClient.PrivateKeyJwt({ key, kid: fapiKey.kid }),
      { algorithm: 'oauth2', execute: [openidClient.allowInsecureRequests] },
    )
    const DPoP = openidClient.getDPoPHandle(config, await openidClient.randomDPoPKeyPair('ES256'))
    const token = await openidClient.clientCredentialsGrant(config, { scope: 'chat' }, { DPoP })
    const { access_token: text } = token
    const shown = await openidClient.tokenIntrospection(config, text)
    expect(shown).toMatchObject({ active: true, client_id: 'lakeside.portal', scope: 'chat', token_type: 'DPoP' })
    expect(Math.abs((shown.exp ?? 0) - (Date.now() / 1000 + (token.expires_in ?? 0)))).toBeLessThan(5)
    await openidClient.tokenRevocation(config, text)
    await expect
      .poll(async () => (await openidClient.tokenIntrospection(config, text)).active, { timeout: 1_000, interval: 50 })
      .toBe(false)
  })
})

async function expectAnswer(token: string): Promise<void> {
  const client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: token, maxRetries: 0 })
  const answer = await client.chat.completions.create({
    model: 'scribe',
    messages: [{ role: 'user', content: 'hello' }],
  })
  expect(answer.choices[0]?.message.content).toBeTruthy()
}

const importPrivate = (key: typeof fapiKey.privateKey, algorithm: { name: string; namedCurve: string }) =>
  crypto.subtle.importKey('pkcs8', new Uint8Array(key.export({ format: 'der', type: 'pkcs8' })), algorithm, false, [
    'sign',
  ])

async function publishKeys() {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: [publishedKey.publicJwk] }))
  })
  const port = await openPort(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    stop: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
