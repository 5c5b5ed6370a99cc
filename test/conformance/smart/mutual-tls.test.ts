import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { makeCertificate, type TestCertificate } from '../../support/certificate.ts'
import { clientYaml, makeClientKey, signAssertion, tokenForm } from '../../support/client-keys.ts'
import { openHouse, type House } from '../../support/house.ts'

/** Tokens that are bound to a certificate (RFC 8705), over real TLS sockets. */
const server = makeCertificate('gateway')
const first = makeCertificate('a client')
const second = makeCertificate('the same client, later')
const stranger = makeCertificate('a stranger')
const key = makeClientKey('ES256')
const folder = mkdtempSync(join(tmpdir(), 'formulary-tls-'))
let house: House
/** The same house behind a proxy: this machine's addresses are trusted. */
let behind: House

const declared = {
  'lakeside/tenant.yaml': (text: string) =>
    text
      // Signs assertions; any certificate binds its tokens.
      .replace(
        'scopes: [chat, embeddings] }',
        `scopes: [chat, embeddings], client: ${clientYaml('fapi2', [key], { senderConstraint: 'mtls' })} }`,
      )
      // Authenticates by a certificate and has no key.
      .replace(
        'scopes: [chat] }',
        `scopes: [chat], client: ${JSON.stringify({
          profile: 'fapi2',
          senderConstraint: 'mtls',
          certificates: [first.thumbprint, second.thumbprint],
        })} }`,
      ),
  'prairie/tenant.yaml': (text: string) =>
    text.replace(
      'scopes: [chat] }',
      `scopes: [chat], client: ${clientYaml('fapi2', [key], { senderConstraint: 'mtls', certificates: [first.thumbprint] })} }`,
    ),
}
const [signing, certified, both] = ['lakeside.ehr', 'lakeside.portal', 'prairie.trial']

beforeAll(async () => {
  writeFileSync(join(folder, 'cert.pem'), server.cert)
  writeFileSync(join(folder, 'key.pem'), server.key)
  house = await openHouse({
    environment: {
      LEASE_SECONDS: '60',
      TLS_PORT: '0',
      TLS_CERTIFICATE: join(folder, 'cert.pem'),
      TLS_KEY: join(folder, 'key.pem'),
    },
    replace: declared,
  })
  behind = await openHouse({
    environment: {
      LEASE_SECONDS: '60',
      TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1',
      CLIENT_CERTIFICATE_HEADER: 'Client-Cert',
      MTLS_URL: 'https://mtls.example',
    },
    replace: declared,
  })
})
afterAll(async () => {
  await house.stop()
  await behind.stop()
  rmSync(folder, { recursive: true })
})

const Body = z.looseObject({
  access_token: z.string().default('none'),
  error: z.union([z.string(), z.object({ code: z.string() })]).optional(),
})
type Body = z.infer<typeof Body>

interface Wish {
  /** Over TLS with it; `none`: over TLS without one; absent: over plain HTTP. */
  readonly by?: TestCertificate | 'none'
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: URLSearchParams
  readonly to?: House
  readonly agent?: Agent
}

function send(path: string, { by, headers, form, to = house, agent }: Wish): Promise<{ status: number; body: Body }> {
  const at = { host: '127.0.0.1', path, method: form === undefined ? 'GET' : 'POST' }
  const shown = {
    ...headers,
    ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  const identity = by === undefined || by === 'none' ? {} : { cert: by.cert, key: by.key }
  return new Promise((resolve, reject) => {
    const request =
      by === undefined
        ? httpRequest({ ...at, headers: shown, port: to.gateway.port })
        : httpsRequest({ ...at, headers: shown, port: to.gateway.tlsPort, ca: server.cert, agent, ...identity })
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Body.parse(JSON.parse(text || '{}')) }),
      )
    })
    request.end(form?.toString())
  })
}

const asserted = async (clientId: string, to = house) =>
  tokenForm(await signAssertion(key, { clientId, audience: to === house ? house.url : behind.url }))
const named = (clientId: string) =>
  new URLSearchParams({ grant_type: 'client_credentials', scope: 'chat', client_id: clientId })
const tokenBy = async (clientId: string, by: TestCertificate): Promise<string> =>
  (await send('/oauth/token', { by, form: await asserted(clientId) })).body.access_token
const open = async (token: string, wish: Wish, scheme = 'Bearer') => {
  const headers = { authorization: `${scheme} ${token}`, ...wish.headers }
  const { status, body } = await send('/v1/models', { ...wish, headers })
  return status === 200 ? 'opened' : typeof body.error === 'object' ? body.error.code : 'no error of the data plane'
}

describe('a token that is bound to a certificate', () => {
  test('is issued for an assertion over mutual TLS, and opens with the same certificate', async () => {
    const { status, body } = await send('/oauth/token', { by: first, form: await asserted(signing) })
    expect([status, body['token_type']]).toEqual([200, 'bearer'])
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ 'x5t#S256': first.thumbprint })
    expect(await open(body.access_token, { by: first })).toBe('opened')
  })

  test('opens nothing without it, or with another', async () => {
    const token = await tokenBy(signing, first)
    expect(await open(token, { by: second })).toBe('invalid_token')
    expect(await open(token, { by: 'none' })).toBe('invalid_token')
    expect(await open(token, {})).toBe('invalid_token')
    expect(await open(token, { by: first }, 'DPoP')).toBe('invalid_token')
    expect(await open(token, { by: first })).toBe('opened')
  })

  test('is not issued without one, nor for one that the client did not register', async () => {
    expect(await send('/oauth/token', { by: 'none', form: await asserted(signing) })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    })
    expect((await send('/oauth/token', { form: await asserted(signing) })).status).toBe(400)
    expect((await send('/oauth/token', { by: second, form: await asserted(both) })).status).toBe(400)
    expect((await send('/oauth/token', { by: first, form: await asserted(both) })).status).toBe(200)
  })

  test('is told by introspection with what it is bound to', async () => {
    const token = await tokenBy(signing, first)
    const form = new URLSearchParams({ ...Object.fromEntries(await asserted(signing)), token })
    expect((await send('/oauth/introspect', { by: first, form })).body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      cnf: { 'x5t#S256': first.thumbprint },
    })
  })

  test('as a caller’s own credential it needs its certificate too', async () => {
    const token = await tokenBy(signing, first)
    const ask = (by: TestCertificate) => {
      const headers = { authorization: `Bearer ${token}` }
      return send('/oauth/introspect', { by, headers, form: new URLSearchParams({ token }) })
    }
    expect([(await ask(first)).status, (await ask(second)).status]).toEqual([200, 401])
  })
})

describe('a client that authenticates by its certificate', () => {
  test('gets a token, and takes it back', async () => {
    const { body } = await send('/oauth/token', { by: second, form: named(certified) })
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ 'x5t#S256': second.thumbprint })
    expect(await open(body.access_token, { by: second })).toBe('opened')
    const form = new URLSearchParams({ client_id: certified, token: body.access_token })
    expect((await send('/oauth/revoke', { by: second, form })).status).toBe(200)
    await expect.poll(() => open(body.access_token, { by: second }), { timeout: 1_000 }).toBe('invalid_token')
  })

  test.each([
    ['with a certificate of nobody', stranger, certified],
    ['without one', 'none' as const, certified],
    ['under the name of a client that has registered none', first, signing],
    ['under the name of another client', second, both],
    ['under a name of nobody', first, 'lakeside.nobody'],
  ])('is not authenticated %s', async (_, by, clientId) => {
    expect(await send('/oauth/token', { by, form: named(clientId) })).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    })
  })

  test('is not taken at its word on the plain port', async () => {
    const headers = { 'client-cert': `:${first.der.toString('base64')}:` }
    expect((await send('/oauth/token', { headers, form: named(certified) })).status).toBe(401)
  })
})

describe('behind a proxy that terminates TLS (RFC 9440)', () => {
  const header = ({ der }: TestCertificate) => ({ 'client-cert': `:${der.toString('base64')}:` })
  const token = async () => {
    const form = named(certified)
    return (await send('/oauth/token', { to: behind, headers: header(first), form })).body.access_token
  }

  test('the certificate that it hands on binds and opens', async () => {
    const text = await token()
    expect(decodeJwt(text)['cnf']).toEqual({ 'x5t#S256': first.thumbprint })
    expect(await open(text, { to: behind, headers: header(first) })).toBe('opened')
    expect(await open(text, { to: behind, headers: header(second) })).toBe('invalid_token')
    expect(await open(text, { to: behind })).toBe('invalid_token')
  })

  test.each([
    ['two certificates', `:${first.der.toString('base64')}:, :${first.der.toString('base64')}:`],
    ['no byte sequence', first.der.toString('base64')],
    ['no certificate', ':AAAA:'],
    ['nothing', '::'],
    ['PEM', encodeURIComponent(first.cert)],
  ])('a header with %s is none', async (_, text) => {
    expect(await open(await token(), { to: behind, headers: { 'client-cert': text } })).toBe('invalid_token')
  })

  test('a header from an address that is not trusted is nobody’s', async () => {
    const text = await tokenBy(signing, first)
    expect(await open(text, { headers: header(first) })).toBe('invalid_token')
    expect(await open(text, { by: 'none', headers: header(first) })).toBe('invalid_token')
    expect(await open(text, { by: second, headers: header(first) })).toBe('invalid_token')
  })
})

describe('the TLS port', () => {
  const handshake = (options: ConnectionOptions) =>
    new Promise<string | null>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: house.gateway.tlsPort, ca: server.cert, ...options })
      socket.on('secureConnect', () => {
        resolve(socket.getProtocol())
        socket.destroy()
      })
      socket.on('error', () => resolve('refused'))
    })

  test('speaks TLS 1.2 and newer, and nothing older (SMART 231)', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    expect(await handshake(old)).toBe('refused')
    expect(await handshake({ maxVersion: 'TLSv1.2' })).toBe('TLSv1.2')
    expect(await handshake({})).toBe('TLSv1.3')
  })

  test('a resumed session is the certificate’s that began it', async () => {
    const token = await tokenBy(signing, first)
    const agent = new Agent({ maxCachedSessions: 10, keepAlive: false })
    const answers: string[] = []
    for (let round = 0; round < 3; round++) answers.push(await open(token, { by: first, agent }))
    expect(answers).toEqual(['opened', 'opened', 'opened'])
    expect(await open(token, { by: second, agent })).toBe('invalid_token')
    agent.destroy()
  })

  test('takes API keys and DPoP’s absence like the other port', async () => {
    const headers = { authorization: `Bearer ${await house.key('lakeside/ehr')}` }
    expect((await send('/v1/models', { by: 'none', headers })).status).toBe(200)
  })
})

test('discovery says where certificates are shown (RFC 8705, sections 3.3 and 5)', async () => {
  const { body } = await send('/.well-known/oauth-authorization-server', {})
  const at = `https://127.0.0.1:${house.gateway.tlsPort}`
  expect(body).toMatchObject({
    token_endpoint: `${house.url}/oauth/token`,
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'self_signed_tls_client_auth'],
    tls_client_certificate_bound_access_tokens: true,
    mtls_endpoint_aliases: {
      token_endpoint: `${at}/oauth/token`,
      introspection_endpoint: `${at}/oauth/introspect`,
      revocation_endpoint: `${at}/oauth/revoke`,
    },
  })
  const { body: proxied } = await send('/.well-known/smart-configuration', { to: behind })
  expect(proxied).toMatchObject({ mtls_endpoint_aliases: { token_endpoint: 'https://mtls.example/oauth/token' } })
})
