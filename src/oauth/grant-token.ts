import { err, ok, type Result } from '../kernel/index.ts'
import { isScope, issueToken, tokenSeconds, type ClientFacts, type Scope } from '../identity/index.ts'
import { requireClient, type Posted } from './authenticate-request.ts'
import type { OauthNeeds, Service } from './oauth.ts'
import type { OauthRefusal } from './refusal.ts'

/**
 * A token for a client (RFC 6749, section 4.4; SMART Backend Services). No refresh token: an assertion is as easily made
 * (SMART 248).
 */
export async function grantToken(
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
): Promise<Result<object, OauthRefusal>> {
  const { form, now } = posted
  const grantType = form.get('grant_type')
  if (grantType === undefined) return err({ reason: 'parameter_missing', parameter: 'grant_type' })
  if (grantType !== 'client_credentials') return err({ reason: 'grant_type_unknown' })

  const known = await requireClient(needs, service, posted)
  if (!known.ok) return known
  const { client, proof } = known.value
  const certificate = certificateFor(client.facts, posted.certificate)
  if (!certificate.ok) return certificate
  if (client.facts.senderConstraint === 'dpop' && proof === undefined)
    return err({ reason: 'proof_refused', because: 'proof_missing' })

  const scopes = scopesFor(client.facts, form.get('scope'))
  if (!scopes.ok) return scopes
  const { signing } = needs
  if (signing === undefined) return err({ reason: 'unavailable' })
  const token = await issueToken(await signing(), client, {
    issuer: service.issuer,
    scopes: scopes.value,
    thumbprint: proof?.thumbprint,
    certificate: certificate.value,
    jti: needs.newRequestId(),
    now,
  })
  needs.log.info('oauth.granted', { client: client.facts.clientId, token: token.claims.jti })
  return ok({
    access_token: token.text,
    token_type: proof === undefined ? 'bearer' : 'DPoP',
    expires_in: tokenSeconds,
    scope: token.claims.scope,
  })
}

/** The certificate that the token of a client is bound to: one that it registered, or any when it registered none. */
function certificateFor(
  { senderConstraint, certificates }: ClientFacts,
  shown: string | undefined,
): Result<string | undefined, OauthRefusal> {
  if (senderConstraint !== 'mtls') return ok(undefined)
  if (shown === undefined) return err({ reason: 'certificate_refused', because: 'certificate_missing' })
  return certificates.length === 0 || certificates.includes(shown)
    ? ok(shown)
    : err({ reason: 'certificate_refused', because: 'certificate_of_other' })
}

/** What is asked for has to lie within what was granted beforehand (SMART 250); more than that is refused, not cut. */
function scopesFor({ application }: ClientFacts, asked: string | undefined): Result<readonly Scope[], OauthRefusal> {
  if (asked === undefined) return err({ reason: 'scope_missing' })
  const wanted = [...new Set(asked.split(' ').filter((scope) => scope !== ''))]
  const granted = wanted.filter(isScope).filter((scope) => application.scopes.includes(scope))
  return granted.length > 0 && granted.length === wanted.length
    ? ok(granted)
    : err({ reason: 'scope_not_granted', granted: application.scopes })
}
