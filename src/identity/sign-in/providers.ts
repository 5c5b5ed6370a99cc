import {
  allowInsecureRequests,
  AuthorizationResponseError,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  type ClientAuth,
  type CustomFetch,
  type ServerMetadata,
} from 'openid-client'
import { err, ok, type Log, type Result } from '../../kernel/index.ts'
import type { ProviderFacts } from './provider-facts.ts'

/** A request to a provider. Whoever implements it guards it; no redirect is followed, and an answer is small. */
export type ProviderFetch = (
  url: string,
  asked: {
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | undefined
    /** The owner's own provider may be inside; a hospital's is on the internet, or it is refused. */
    readonly mayBeInside: boolean
    readonly signal: AbortSignal | undefined
  },
) => Promise<Response>

/** The error with which a `ProviderFetch` says that it got no answer. */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway'
}

export interface ProvidersNeeds {
  readonly fetch: ProviderFetch
  /** Of an environment variable. */
  secretOf(variable: string): string | undefined
  /** Plain http, for a provider on this machine. */
  readonly isDevelopment: boolean
  readonly log: Log
  monotonicMs(): number
}

export type ProviderRefusal =
  | { readonly reason: 'secret_missing'; readonly variable: string }
  /** It does not answer, or is not at its issuer's address. */
  | { readonly reason: 'provider_away' }
  /** It has no flow or no algorithm that we take. */
  | { readonly reason: 'provider_unfit' }
  /** It sent the person back with an error of RFC 6749, section 4.1.2.1. */
  | { readonly reason: 'provider_said_no'; readonly error: string }
  /** State, issuer, code or id token are not what they have to be. The code says which, for the log. */
  | { readonly reason: 'answer_refused'; readonly code: string }

/** Signatures by a key that the provider alone has. Never `none`, and never a secret that we would share (RFC 8725, 3.1). */
const algorithms: ReadonlySet<string> = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '),
)
const keepMs = 3_600_000
/** After a look that failed: strangers begin sign-ins, and must not make us knock at a door that is closed. */
const failedCoolDownMs = 10_000
const providersMax = 1_000
const patienceSeconds = 10

interface Known {
  readonly revision: number
  readonly found: Promise<Result<Configuration, ProviderRefusal>>
  untilMs: number
}

/** The providers that people are sent to: OpenID Connect Core 1.0, code flow with PKCE, by `openid-client`. */
export class Providers {
  readonly #needs: ProvidersNeeds
  readonly #known = new Map<string, Known>()

  constructor(needs: ProvidersNeeds) {
    this.#needs = needs
  }

  /** Where to send the browser. */
  async begin(
    facts: ProviderFacts,
    secrets: { readonly state: string; readonly nonce: string; readonly verifier: string },
    redirectUri: string,
  ): Promise<Result<URL, ProviderRefusal>> {
    const found = await this.#find(facts)
    if (!found.ok) return found
    return ok(
      buildAuthorizationUrl(found.value, {
        redirect_uri: redirectUri,
        scope: facts.scopes.join(' '),
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
      }),
    )
  }

  /**
   * What the provider says of whom it sent back: verified claims of the id token, and of its userinfo when the groups stand
   * only there. `query` is that of the request, whose host nobody trusts.
   */
  async finish(
    facts: ProviderFacts,
    secrets: { readonly state: string; readonly nonce: string; readonly verifier: string },
    answer: { readonly redirectUri: string; readonly query: string },
  ): Promise<Result<Readonly<Record<string, unknown>>, ProviderRefusal>> {
    const found = await this.#find(facts)
    if (!found.ok) return found
    const url = new URL(answer.redirectUri)
    url.search = answer.query
    try {
      const tokens = await authorizationCodeGrant(found.value, url, {
        expectedState: secrets.state,
        expectedNonce: secrets.nonce,
        pkceCodeVerifier: secrets.verifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (claims === undefined) return err({ reason: 'answer_refused', code: 'id_token_missing' })
      if (claims[facts.groupsClaim] !== undefined || found.value.serverMetadata().userinfo_endpoint === undefined)
        return ok(claims)
      return ok({ ...(await fetchUserInfo(found.value, tokens.access_token, claims.sub)), ...claims })
    } catch (error) {
      return err(refusalOf(error))
    }
  }

  /** Where a browser ends its session at the provider itself; undefined when the provider has no such place. */
  async endSessionUrl(facts: ProviderFacts, backTo: string): Promise<URL | undefined> {
    const found = await this.#find(facts)
    if (!found.ok || found.value.serverMetadata().end_session_endpoint === undefined) return undefined
    // No id token is kept that could be sent as a hint: the provider asks the person whether they mean it.
    return buildEndSessionUrl(found.value, { post_logout_redirect_uri: backTo })
  }

  #find(facts: ProviderFacts): Promise<Result<Configuration, ProviderRefusal>> {
    const now = this.#needs.monotonicMs()
    const known = this.#known.get(facts.tenantId)
    if (known !== undefined && known.revision === facts.revision && now < known.untilMs) return known.found
    const looking: Known = { revision: facts.revision, found: this.#discover(facts), untilMs: now + keepMs }
    this.#known.delete(facts.tenantId)
    this.#known.set(facts.tenantId, looking)
    const [longestAgo] = this.#known.keys()
    if (this.#known.size > providersMax && longestAgo !== undefined) this.#known.delete(longestAgo)
    void looking.found.then((found) => {
      if (!found.ok) looking.untilMs = this.#needs.monotonicMs() + failedCoolDownMs
    })
    return looking.found
  }

  async #discover(facts: ProviderFacts): Promise<Result<Configuration, ProviderRefusal>> {
    const { isDevelopment, log } = this.#needs
    const auth = this.#authOf(facts)
    if (!auth.ok) return auth
    const fetch = this.#fetchFor(facts)
    const execute = isDevelopment ? [allowInsecureRequests] : []
    try {
      const told = await discovery(new URL(facts.issuer), facts.clientId, undefined, None(), {
        [customFetch]: fetch,
        timeout: patienceSeconds,
        execute,
      })
      const server = allowedOf(told.serverMetadata())
      if (server === undefined) return err({ reason: 'provider_unfit' })
      const found = new Configuration(server, facts.clientId, undefined, auth.value(server))
      found[customFetch] = fetch
      found.timeout = patienceSeconds
      if (isDevelopment) allowInsecureRequests(found)
      // The token came over our own connection; its signature is verified all the same.
      enableNonRepudiationChecks(found)
      return ok(found)
    } catch (error) {
      log.warn('sign_in.provider_away', { tenant: facts.tenant, code: codeOf(error) })
      return err({ reason: 'provider_away' })
    }
  }

  #authOf({ clientSecretEnv }: ProviderFacts): Result<(server: ServerMetadata) => ClientAuth, ProviderRefusal> {
    if (clientSecretEnv === undefined) return ok(() => None())
    const secret = this.#needs.secretOf(clientSecretEnv)
    if (secret === undefined || secret === '') return err({ reason: 'secret_missing', variable: clientSecretEnv })
    // RFC 8414, section 2: a server that says nothing takes client_secret_basic.
    return ok(({ token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] }) =>
      methods.includes('client_secret_basic') ? ClientSecretBasic(secret) : ClientSecretPost(secret),
    )
  }

  #fetchFor(facts: ProviderFacts): CustomFetch {
    return (url, { method, headers, body, signal }) =>
      this.#needs.fetch(url, {
        method,
        headers,
        body: typeof body === 'string' || body instanceof URLSearchParams ? String(body) : undefined,
        mayBeInside: facts.kind === 'owner',
        signal,
      })
  }
}

/** The provider's own words, with the algorithms that we take; undefined when none is left, or a way is missing. */
function allowedOf(server: ServerMetadata): ServerMetadata | undefined {
  const { authorization_endpoint, token_endpoint, jwks_uri, id_token_signing_alg_values_supported: told } = server
  // OpenID Connect Discovery 1.0, section 3: RS256 must be among them, and is what one that says nothing uses.
  const allowed = (told ?? ['RS256']).filter((algorithm) => algorithms.has(algorithm))
  if (authorization_endpoint === undefined || token_endpoint === undefined || jwks_uri === undefined) return undefined
  return allowed.length === 0 ? undefined : { ...server, id_token_signing_alg_values_supported: allowed }
}

function refusalOf(error: unknown): ProviderRefusal {
  if (error instanceof AuthorizationResponseError)
    return { reason: 'provider_said_no', error: /^[\x21-\x7e]{1,60}$/.exec(error.error)?.[0] ?? 'unknown' }
  if (isAway(error)) return { reason: 'provider_away' }
  return { reason: 'answer_refused', code: codeOf(error) }
}

const isAway = (error: unknown): boolean =>
  error instanceof Error && (error instanceof ProviderAway || isAway(error.cause) || codeOf(error) === 'OAUTH_TIMEOUT')

/** A name of the library's own; its messages may quote what a stranger sent. */
const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error && typeof error.code === 'string' ? error.code : error.name) : 'unknown'
