import { assertNever, err, ok, type Instant, type Proven, type Result, type Uuid } from '../kernel/index.ts'
import type { Principal } from '../identity/index.ts'
import {
  licenseState,
  overdueAttestations,
  revisionAt,
  type AttestationKind,
  type LicenseFacts,
  type LicenseRevision,
  type LicenseState,
} from './license.ts'

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
  | { reason: 'license_draft'; license: string }
  | { reason: 'license_not_started'; license: string; startsAt: Instant }
  | { reason: 'license_expired'; license: string; endedAt: Instant }
  | { reason: 'license_suspended'; license: string; until: Instant | undefined }
  | { reason: 'license_revoked'; license: string; revokedAt: Instant }
  | { reason: 'license_ended'; license: string; endedAt: Instant; toLicense: string | undefined }
  | { reason: 'attestation_overdue'; license: string; kind: AttestationKind; dueAt: Instant }

export interface LicensingNeeds {
  findLicenses(tenantId: Uuid): readonly LicenseFacts[]
}

/** A license that is not in force, with the revision that would hold, so that the other reasons can be told as well. */
export interface NotInForce {
  readonly refusals: readonly LicensingRefusal[]
  readonly license: string | undefined
  readonly revision: LicenseRevision | undefined
}

/**
 * The tenant's license in force now. Of several, the one in force; if none is, the refusal is of the newest. To look at
 * what was licensed, `toRead`, a license that says so is enough after its end.
 */
export function requireLicense(
  needs: LicensingNeeds,
  principal: Principal,
  now: Instant,
  { toRead }: { readonly toRead: boolean } = { toRead: false },
): Result<Licensed, NotInForce> {
  let nearest: NotInForce = { refusals: [{ reason: 'license_missing' }], license: undefined, revision: undefined }
  for (const facts of needs.findLicenses(principal.tenant.tenantId)) {
    const judged = judge(facts, principal, { now, toRead })
    if (judged.ok) return judged
    nearest = judged.error
  }
  return err(nearest)
}

function judge(
  facts: LicenseFacts,
  principal: Principal,
  { now, toRead }: { now: Instant; toRead: boolean },
): Result<Licensed, NotInForce> {
  const { license } = facts
  const revision = revisionAt(facts, now) ?? facts.revisions[0]
  if (revision === undefined) return err({ refusals: [{ reason: 'license_missing' }], license, revision })
  const state = licenseState(facts, revision, now)
  const refusal = refusalOf(license, state)
  const isOpen = refusal === undefined || (toRead && state.state === 'expired' && state.isReadable)
  const overdue = toRead ? [] : overdueAttestations(facts, revision, now)
  if (isOpen && overdue.length === 0)
    return ok({ principal, license, revision, grace: state.state === 'grace' } as Licensed)
  return err({
    refusals: [
      ...(refusal === undefined ? [] : [refusal]),
      ...overdue.map(({ kind, dueAt }) => ({ reason: 'attestation_overdue' as const, license, kind, dueAt })),
    ],
    license,
    revision,
  })
}

/** Why a license in this state lets nobody through; undefined when it does. */
function refusalOf(license: string, state: LicenseState): LicensingRefusal | undefined {
  switch (state.state) {
    case 'active':
    case 'expiring':
    case 'grace':
      return undefined
    case 'draft':
      return { reason: 'license_draft', license }
    case 'not_started':
      return { reason: 'license_not_started', license, startsAt: state.startsAt }
    case 'expired':
      return { reason: 'license_expired', license, endedAt: state.endedAt }
    case 'suspended':
      return { reason: 'license_suspended', license, until: state.until }
    case 'revoked':
      return { reason: 'license_revoked', license, revokedAt: state.revokedAt }
    case 'terminated':
      return { reason: 'license_ended', license, endedAt: state.endedAt, toLicense: undefined }
    case 'transferred':
      return { reason: 'license_ended', license, endedAt: state.endedAt, toLicense: state.toLicense }
    default:
      return assertNever(state, 'a license state')
  }
}
