import type {
  AssertionReason,
  CertificateReason,
  CertificateRefusal,
  ProofReason,
  TokenRefusal,
} from '../identity/index.ts'

/** Why /oauth did not do what it was asked for. */
export type OauthRefusal =
  /** Everything that is wrong with an assertion; the wire says one thing. */
  | { reason: 'client_refused'; because: readonly (AssertionReason | CertificateRefusal)[] }
  | { reason: 'bearer_refused'; because: TokenRefusal['reason'] | ProofReason | CertificateReason }
  | { reason: 'proof_refused'; because: ProofReason }
  | { reason: 'proof_unwanted' }
  | { reason: 'certificate_refused'; because: CertificateReason }
  | { reason: 'not_a_form' }
  | { reason: 'body_refused' }
  | { reason: 'in_the_query' }
  | { reason: 'parameter_repeated'; parameter: string }
  | { reason: 'parameter_missing'; parameter: string }
  | { reason: 'authenticated_twice' }
  | { reason: 'grant_type_unknown' }
  | { reason: 'scope_missing' }
  | { reason: 'scope_not_granted'; granted: readonly string[] }
  | { reason: 'too_many_revocations' }
  /** Wrong, like so many before it from the same network. */
  | { reason: 'refused_too_often' }
  | { reason: 'unavailable' }
  | { reason: 'bug' }

/** What a client reads (RFC 6749, section 5.2). */
export interface Wire {
  readonly status: number
  readonly error: string
  readonly description: string
}

const badRequest = (description: string): Wire => ({ status: 400, error: 'invalid_request', description })

/** A new reason does not compile until it has its line here. */
export function toWire(refusal: OauthRefusal): Wire {
  switch (refusal.reason) {
    case 'client_refused':
      return {
        status: 401,
        error: 'invalid_client',
        description:
          'The client was not authenticated. The audience, the times, the key and the jti of its assertion have to be right.',
      }
    case 'bearer_refused':
      return { status: 401, error: 'invalid_token', description: 'The access token was not accepted.' }
    case 'proof_refused':
      return {
        status: 400,
        error: 'invalid_dpop_proof',
        description: 'A fresh DPoP proof for this address is needed (RFC 9449, section 4).',
      }
    case 'proof_unwanted':
      return badRequest(
        'A client that authenticates by its certificate has its tokens bound to it: send no DPoP proof.',
      )
    case 'certificate_refused':
      return badRequest(
        'The tokens of this client are bound to its TLS certificate: connect with it, at mtls_endpoint_aliases (RFC 8705).',
      )
    case 'not_a_form':
      return badRequest('Send a form: content-type application/x-www-form-urlencoded.')
    case 'body_refused':
      return badRequest('The body is too long, or not UTF-8.')
    case 'in_the_query':
      return badRequest('Send parameters in the body; the address has none.')
    case 'parameter_repeated':
      return badRequest(`${refusal.parameter} stands there more than once.`)
    case 'parameter_missing':
      return badRequest(`${refusal.parameter} is missing.`)
    case 'authenticated_twice':
      return badRequest('Authenticate in one way: by client_assertion, or by a registered certificate.')
    case 'grant_type_unknown':
      return {
        status: 400,
        error: 'unsupported_grant_type',
        description: 'The grant type is client_credentials.',
      }
    case 'scope_missing':
      return { status: 400, error: 'invalid_scope', description: 'scope is missing.' }
    case 'scope_not_granted':
      return {
        status: 400,
        error: 'invalid_scope',
        description: `This client may ask for: ${refusal.granted.join(' ')}.`,
      }
    case 'too_many_revocations':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: 'Too many tokens were revoked in the last minutes. Those that are left expire by themselves.',
      }
    case 'refused_too_often':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'Too many clients were not authenticated from this network. A right one still is.',
      }
    case 'unavailable':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: 'Not available now. Try again in 2 seconds.',
      }
    case 'bug':
      return { status: 500, error: 'server_error', description: 'Something went wrong here.' }
  }
}
