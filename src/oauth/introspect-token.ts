import { err, ok, type Result } from '../kernel/index.ts'
import { openToken } from '../identity/index.ts'
import { requireLicense } from '../licensing/index.ts'
import { requireCaller, type Posted } from './authenticate-request.ts'
import type { OauthNeeds, Service } from './oauth.ts'
import type { OauthRefusal } from './refusal.ts'

/**
 * What a token is (RFC 7662; SMART App Launch 2.2, token introspection). Of the caller's own tenant: what is another's is
 * not active, as if it were none. Nor is one whose tenant has no license in force.
 */
export async function introspectToken(
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
): Promise<Result<object, OauthRefusal>> {
  const text = posted.form.get('token')
  if (text === undefined) return err({ reason: 'parameter_missing', parameter: 'token' })
  const caller = await requireCaller(needs, service, posted)
  if (!caller.ok) return caller
  const held = await openToken(needs, text, posted.now)
  if (!held.ok || held.value.client.tenant.tenantId !== caller.value.tenant.tenantId) return ok({ active: false })
  if (!requireLicense(needs, held.value.principal, posted.now).ok) return ok({ active: false })
  const { claims } = held.value
  return ok({ active: true, token_type: claims.cnf?.jkt === undefined ? 'Bearer' : 'DPoP', ...claims })
}
