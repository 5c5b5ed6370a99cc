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
  ...authenticationOf('token_endpoint'),
  ...authenticationOf('introspection_endpoint'),
  ...authenticationOf('revocation_endpoint'),
  dpop_signing_alg_values_supported: proofAlgorithms.map(({ alg }) => alg),
})

const authenticationOf = (endpoint: string): object => ({
  [`${endpoint}_auth_methods_supported`]: ['private_key_jwt'],
  [`${endpoint}_auth_signing_alg_values_supported`]: signingAlgorithms,
})

/** SMART App Launch 2.2, conformance: the same with what SMART asks for beside it. */
export const smartConfiguration = (service: Service): object => ({
  ...serverMetadata(service),
  capabilities: ['client-confidential-asymmetric', 'permission-v2'],
})
