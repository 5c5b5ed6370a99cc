import type { Instant, Uuid } from '../kernel/index.ts'
import type { Principal } from '../identity/index.ts'
import { requireLicense, type LicensingNeeds, type LicensingRefusal } from '../licensing/index.ts'
import { decide, objectionsUnder, type Asked, type Permit, type PolicyNeeds, type PolicyRefusal } from './decide.ts'

export type DecisionReason = LicensingRefusal | PolicyRefusal

/**
 * Every reason against a use, the first first: what its holder has to settle before anything else would help. A license
 * that is over for good, then one that is halted or not yet there, then what is asked for, who asks, where it would run,
 * and what policies say. `src/policy/README.md` has the same list in words.
 */
export const precedence = {
  license_missing: 'there is no license',
  license_revoked: 'it was revoked, for good',
  license_ended: 'it was ended by contract, or goes on elsewhere',
  license_suspended: 'it is suspended',
  license_draft: 'it is a draft',
  license_not_started: 'its term has not begun',
  license_expired: 'its term and its grace are over',
  attestation_overdue: 'something that it asks to be attested is not',
  model_not_found: 'there is no such model or version',
  model_not_licensed: 'the license does not include the model',
  version_not_licensed: 'nor this version of it, or it is not released for this use',
  version_recalled: 'the version was recalled',
  audience_not_licensed: 'the application’s audience is not licensed',
  purpose_not_licensed: 'the purpose of use is not licensed, or is treatment under an evaluation',
  facility_not_covered: 'the facility is not covered',
  scope_not_granted: 'the credential may not be used for this operation',
  operation_not_supported: 'the model is not called that way',
  residency_excludes_all: 'no deployment lies in a region that the license allows',
  policy_denied: 'a policy forbids it, or none permits it',
  policy_unavailable: 'there are no policies, or they cannot be evaluated',
} as const satisfies Record<DecisionReason['reason'], string>

const place = new Map<string, number>(Object.keys(precedence).map((reason, index) => [reason, index]))

/** Reasons in the order in which they are told. Two of one kind stay as they were found. */
export const inPrecedence = <Reason extends DecisionReason>(reasons: readonly Reason[]): readonly Reason[] =>
  reasons.length < 2
    ? reasons
    : reasons.toSorted((a, b) => (place.get(a.reason) ?? Infinity) - (place.get(b.reason) ?? Infinity))

/** What was decided of a use, with everything that it was decided by. */
export interface Decision {
  /** Of the request that it was made for; a decision that is made again has the id of whoever asks again. */
  readonly id: Uuid
  readonly outcome: 'permit' | 'deny'
  /** The first reason; undefined when there is none. */
  readonly code: DecisionReason['reason'] | undefined
  readonly reasons: readonly DecisionReason[]
  readonly evaluatedAt: Instant
  readonly license: string | undefined
  readonly revision: number | undefined
  /** What was permitted. */
  readonly permit: Permit | undefined
}

/**
 * May this principal make this use now? The license and the policies together, without side effects: the same facts and
 * the same instant give the same outcome and reasons, now or in ten years.
 */
export function decideUse(
  needs: LicensingNeeds & PolicyNeeds,
  principal: Principal,
  asked: Asked,
  { id, now }: { id: Uuid; now: Instant },
): Decision {
  const licensed = requireLicense(needs, principal, now)
  if (!licensed.ok) {
    const { refusals, license, revision } = licensed.error
    const others = revision === undefined ? [] : objectionsUnder(needs, principal, revision, asked)
    const reasons = inPrecedence<DecisionReason>([...refusals, ...others])
    return denied(reasons, { id, evaluatedAt: now, license, revision: revision?.revision })
  }
  const { license, revision } = licensed.value
  const facts = { id, evaluatedAt: now, license, revision: revision.revision }
  const permit = decide(needs, licensed.value, asked)
  if (!permit.ok) return denied(inPrecedence(permit.error), facts)
  return { ...facts, outcome: 'permit', code: undefined, reasons: [], permit: permit.value }
}

const denied = (
  reasons: readonly DecisionReason[],
  facts: Pick<Decision, 'id' | 'evaluatedAt' | 'license' | 'revision'>,
): Decision => ({ ...facts, outcome: 'deny', code: reasons[0]?.reason, reasons, permit: undefined })
