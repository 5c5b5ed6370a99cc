import type { Clock, Log, Uuid } from '../kernel/index.ts'
import type { ClientNeeds, ProofNeeds, TokenNeeds } from '../identity/index.ts'
import type { LicensingNeeds } from '../licensing/index.ts'

/** What the token service needs: some of what a gateway is. */
export interface OauthNeeds extends ClientNeeds, TokenNeeds, ProofNeeds, LicensingNeeds {
  readonly clock: Clock
  readonly log: Log
  newRequestId(): Uuid
  /** Where callers connect with a certificate (RFC 8705, section 5); undefined where none can be shown. */
  mtlsUrl(): string | undefined
}

/** Where this service is found. Without an issuer or a key there is none. */
export interface Service {
  readonly issuer: string
  readonly tokenUrl: string
  readonly introspectionUrl: string
  readonly revocationUrl: string
  readonly keysUrl: string
  readonly mtlsUrl: string | undefined
}

export function serviceOf(needs: OauthNeeds): Service | undefined {
  const issuer = needs.issuer()
  if (issuer === undefined || needs.signing === undefined) return undefined
  return {
    issuer,
    tokenUrl: `${issuer}/oauth/token`,
    introspectionUrl: `${issuer}/oauth/introspect`,
    revocationUrl: `${issuer}/oauth/revoke`,
    keysUrl: `${issuer}/.well-known/jwks.json`,
    mtlsUrl: needs.mtlsUrl(),
  }
}
