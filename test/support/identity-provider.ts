import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import Provider from 'oidc-provider'

export interface Account {
  readonly sub: string
  readonly name: string
  readonly groups: readonly string[]
}

/** What the token endpoint answers, before it is sent. */
type Tamper = (answer: Record<string, unknown>) => Promise<Record<string, unknown>> | Record<string, unknown>

/** A real OpenID provider (`oidc-provider`) on a free port of this machine, for a hospital or for the owner. */
export interface IdentityProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Who signs in next, without being asked. */
  signsIn: Account
  /** Changes the token endpoint's answers, as a provider would that is wrong or hostile. */
  tamper: Tamper | undefined
  /** Signs as the provider does. */
  sign(claims: JWTPayload, header?: { readonly alg?: string; readonly kid?: string }): Promise<string>
  stop(): Promise<void>
}

export async function openIdentityProvider(options: {
  /** Where people are sent back to. */
  redirectUris: readonly string[]
  signsIn: Account
  /** Claims of scopes stand in userinfo alone. */
  groupsInUserinfo?: boolean
  hasLogout?: boolean
}): Promise<IdentityProvider> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: 'first', use: 'sig', alg: 'RS256' }
  const clientSecret = 'a secret of the tests, and of nothing else'
  const clientId = 'formulary'
  // Whoever has a session at the provider is not asked again, and has the groups of today.
  const accounts = new Map<string, Account>()
  let { signsIn } = options

  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [...options.redirectUris],
        post_logout_redirect_uris: options.redirectUris.map((uri) => `${new URL(uri).origin}/`),
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    jwks: { keys: [jwk] },
    cookies: { keys: ['a key of the tests'] },
    claims: { openid: ['sub'], profile: ['name', 'groups'] },
    conformIdTokenClaims: options.groupsInUserinfo ?? false,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: options.hasLogout ?? true },
    },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => {
      const account = accounts.get(sub)
      return account && { accountId: sub, claims: () => ({ sub, name: account.name, groups: [...account.groups] }) }
    },
    // Everybody has consented.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      })
      grant.addOIDCScope('openid profile')
      await grant.save()
      return grant
    },
  })
  // The grants of this server live for minutes; its warnings about development storage say nothing here.
  const answer = provider.callback()

  const self: IdentityProvider = {
    issuer,
    clientId,
    clientSecret,
    get signsIn() {
      return signsIn
    },
    set signsIn(account) {
      signsIn = account
      accounts.set(account.sub, account)
    },
    tamper: undefined,
    sign: (claims, header = {}) => sign(privateKey, claims, header),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  server.on('request', (request, response) => {
    void handle(request, response).catch(() => response.writeHead(500).end())
  })
  return self

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/interaction/') === true) {
      return provider.interactionFinished(request, response, { login: { accountId: signsIn.sub } })
    }
    const { tamper } = self
    if (tamper !== undefined && request.url === '/token') intercept(response, tamper)
    return answer(request, response)
  }
}

const sign = (key: CryptoKey, claims: JWTPayload, { alg = 'RS256', kid = 'first' }: { alg?: string; kid?: string }) =>
  new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key)

/** Holds back the answer's body and sends another. */
function intercept(response: ServerResponse, tamper: Tamper): void {
  const end = response.end.bind(response)
  response.end = ((body?: unknown) => {
    const text = Buffer.isBuffer(body) ? body.toString('utf8') : typeof body === 'string' ? body : '{}'
    void Promise.resolve(tamper(JSON.parse(text) as Record<string, unknown>)).then((changed) => {
      const sent = JSON.stringify(changed)
      response.removeHeader('content-length')
      end(sent)
    })
    return response
  }) as typeof response.end
}
