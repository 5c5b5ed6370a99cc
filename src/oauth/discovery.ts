import { algorithmsOf, profiles, proofAlgorithms, scopes } from '../identity/index.ts'
import type { Service } from './oauth.ts'

const signingAlgorithms = [...new Set(profiles.flatMap((profile) => algorithmsOf(profile).map(({ alg }) => alg)))]

/** RFC 8414. There is no authorization endpoint, and so no response type. */
export const serverMetadata = (service: Service): object => ({
  issuer: service.issuer,
  token_endpoint: service.tokenUrl,
  jwks_uri: service.keysUrl,
  introspection_endpoint: service.introspectionUrl,
  revocation_endpoint: service.revocationUrl,
  grant_types_supported: ['client_credentials'],
  response_types_supported: [],
  scopes_supported: scopes,
  code_challenge_methods_supported: ['S256'],
  ...authenticationOf('token_endpoint', service),
  ...authenticationOf('introspection_endpoint', service),
  ...authenticationOf('revocation_endpoint', service),
  ...mutualTlsOf(service),
  dpop_signing_alg_values_supported: proofAlgorithms.map(({ alg }) => alg),
})

const authenticationOf = (endpoint: string, { mtlsUrl }: Service): object => ({
  [`${endpoint}_auth_methods_supported`]: [
    'private_key_jwt',
    ...(mtlsUrl === undefined ? [] : ['self_signed_tls_client_auth']),
  ],
  [`${endpoint}_auth_signing_alg_values_supported`]: signingAlgorithms,
})

/** RFC 8705, sections 3.3 and 5. */
const mutualTlsOf = ({ mtlsUrl, issuer, tokenUrl, introspectionUrl, revocationUrl }: Service): object => {
  if (mtlsUrl === undefined) return { tls_client_certificate_bound_access_tokens: false }
  const alias = (url: string) => mtlsUrl + url.slice(issuer.length)
  return {
    tls_client_certificate_bound_access_tokens: true,
    mtls_endpoint_aliases: {
      token_endpoint: alias(tokenUrl),
      introspection_endpoint: alias(introspectionUrl),
      revocation_endpoint: alias(revocationUrl),
    },
  }
}

/** SMART App Launch 2.2, conformance: the same with what SMART asks for beside it. */
export const smartConfiguration = (service: Service): object => ({
  ...serverMetadata(service),
  capabilities: ['client-confidential-asymmetric', 'permission-v2'],
})
