import { err, instant, ok, type Result } from '../kernel/index.ts'
import { tenantTransaction } from '../db/index.ts'
import { openToken, revokeToken } from '../identity/index.ts'
import { requireClient, type Posted } from './authenticate-request.ts'
import type { OauthNeeds, Service } from './oauth.ts'
import type { OauthRefusal } from './refusal.ts'

/**
 * A client takes its own token back (RFC 7009). For a token that is none, that is over, or that is another's the answer is
 * the same: there is nothing that this client could take back.
 */
export async function takeBackToken(
  needs: OauthNeeds,
  service: Service,
  posted: Posted,
): Promise<Result<undefined, OauthRefusal>> {
  const text = posted.form.get('token')
  if (text === undefined) return err({ reason: 'parameter_missing', parameter: 'token' })
  const known = await requireClient(needs, service, posted)
  if (!known.ok) return known
  const held = await openToken(needs, text, posted.now)
  const { clientId, tenant, application } = known.value.client.facts
  if (!held.ok || held.value.client.clientId !== clientId) return ok(undefined)
  const { jti, exp } = held.value.claims
  const isMarked = await tenantTransaction(needs.database, tenant.tenantId, (tx) =>
    revokeToken(tx, {
      tenantId: tenant.tenantId,
      application: application.application,
      jti,
      expiresAt: instant(exp * 1000),
    }),
  )
  return isMarked ? ok(undefined) : err({ reason: 'too_many_revocations' })
}
