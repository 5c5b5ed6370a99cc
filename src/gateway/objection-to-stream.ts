import type { Instant } from '../kernel/index.ts'
import { requireLicense } from '../licensing/index.ts'
import { objectionToHolder } from '../identity/index.ts'
import type { Permit } from '../policy/index.ts'
import type { Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** What somebody does to a license, and not time. */
const actsOfSomebody: ReadonlySet<Refusal['reason']> = new Set([
  'license_suspended',
  'license_revoked',
  'license_ended',
] as const)

/**
 * Why an answer that was permitted must not go on: what somebody has done since. What only time has done (a term that
 * ended, a key that expired) refuses the next call and lets this one end.
 */
export function objectionToStream(gateway: Gateway, permit: Permit, now: Instant): Refusal | undefined {
  const { principal } = permit.licensed
  const { token } = principal
  if (token !== undefined) {
    const held = { jti: token.jti, client_revision: token.revision }
    const detail = objectionToHolder(gateway.directory.lastKnownClient(principal.keyId), held, now)
    if (detail !== undefined) return { reason: 'token_invalid', detail }
  }
  const key = token === undefined ? gateway.directory.lastKnownKey(principal.keyId) : undefined
  if (key?.revokedAt !== undefined && key.revokedAt <= now)
    return { reason: 'credential_revoked', keyId: key.keyId, revokedAt: key.revokedAt }
  const endedAt = key?.tenant.endedAt ?? key?.application.endedAt
  if (endedAt !== undefined && endedAt <= now) return { reason: 'credential_invalid', detail: 'application_ended' }

  const licensed = requireLicense(gateway, principal, now)
  if (!licensed.ok) {
    const done = licensed.error.refusals.find(({ reason }) => actsOfSomebody.has(reason))
    if (done !== undefined) return done
  }

  const { model, version } = permit
  const recalledAt = gateway.findModel(model.model)?.versions.get(version.version)?.recalledAt
  return recalledAt === undefined
    ? undefined
    : { reason: 'version_recalled', model: model.model, version: version.version, recalledAt }
}
