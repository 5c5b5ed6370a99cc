import { err, ok, type Instant, type Proven, type Result, type Uuid } from '../kernel/index.ts'
import type { Principal } from '../identity/index.ts'
import { licenseState, revisionAt, type LicenseFacts, type LicenseRevision } from './license.ts'

/** A principal whose license is in force, with the revision that holds now. */
export type Licensed = Proven<
  'Licensed',
  {
    readonly principal: Principal
    readonly license: string
    readonly revision: LicenseRevision
    readonly grace: boolean
  }
>

export type LicensingRefusal =
  | { reason: 'license_missing' }
  | { reason: 'license_not_started'; license: string; startsAt: Instant }
  | { reason: 'license_expired'; license: string; endedAt: Instant }
  | { reason: 'license_suspended'; license: string; until: Instant | undefined }
  | { reason: 'license_revoked'; license: string; revokedAt: Instant }

export interface LicensingNeeds {
  findLicenses(tenantId: Uuid): readonly LicenseFacts[]
}

/** A license that is not in force, with the revision that would hold, so that the other reasons can be told as well. */
export interface NotInForce {
  readonly refusal: LicensingRefusal
  readonly license: string | undefined
  readonly revision: LicenseRevision | undefined
}

/** The tenant's license in force now. Of several, the one in force; if none is, the refusal is of the newest. */
export function requireLicense(
  needs: LicensingNeeds,
  principal: Principal,
  now: Instant,
): Result<Licensed, NotInForce> {
  let nearest: NotInForce = { refusal: { reason: 'license_missing' }, license: undefined, revision: undefined }
  for (const facts of needs.findLicenses(principal.tenant.tenantId)) {
    const judged = judge(facts, principal, now)
    if (judged.ok) return judged
    nearest = judged.error
  }
  return err(nearest)
}

function judge(facts: LicenseFacts, principal: Principal, now: Instant): Result<Licensed, NotInForce> {
  const { license } = facts
  const revision = revisionAt(facts, now)
  if (revision === undefined) {
    const first = facts.revisions[0]
    if (first === undefined) return err({ refusal: { reason: 'license_missing' }, license, revision })
    return err({ refusal: { reason: 'license_not_started', license, startsAt: first.effectiveAt }, license, revision })
  }
  const state = licenseState(facts, revision, now)
  const no = (refusal: LicensingRefusal) => err({ refusal, license, revision })
  switch (state.state) {
    case 'active':
    case 'grace':
      return ok({ principal, license, revision, grace: state.state === 'grace' } as Licensed)
    case 'not_started':
      return no({ reason: 'license_not_started', license, startsAt: state.startsAt })
    case 'expired':
      return no({ reason: 'license_expired', license, endedAt: state.endedAt })
    case 'suspended':
      return no({ reason: 'license_suspended', license, until: state.until })
    case 'revoked':
      return no({ reason: 'license_revoked', license, revokedAt: state.revokedAt })
  }
}
