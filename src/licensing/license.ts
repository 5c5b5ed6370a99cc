import { z } from 'zod'
import { plusDays, type Instant, type Uuid } from '../kernel/index.ts'
import type { Terms } from './terms.ts'

/** One immutable revision of a license. */
export interface LicenseRevision {
  readonly revision: number
  readonly effectiveAt: Instant
  readonly plan: string
  /** The term is [termStart, termEnd). */
  readonly termStart: Instant
  readonly termEnd: Instant
  readonly graceDays: number
  readonly evaluation: boolean
  readonly terms: Terms
}

export const LicenseActName = z.enum(['suspend', 'resume', 'revoke'])
export type LicenseActName = z.infer<typeof LicenseActName>

export interface LicenseAct {
  readonly act: LicenseActName
  readonly reason: string
  readonly until: Instant | undefined
  readonly effectiveAt: Instant
}

export interface LicenseFacts {
  readonly tenantId: Uuid
  readonly license: string
  /** In the order of their numbers. */
  readonly revisions: readonly LicenseRevision[]
  /** In the order in which they take effect. */
  readonly acts: readonly LicenseAct[]
}

export type LicenseState =
  | { state: 'not_started'; startsAt: Instant }
  | { state: 'active' }
  | { state: 'grace'; endedAt: Instant; graceEndsAt: Instant }
  | { state: 'expired'; endedAt: Instant }
  | { state: 'suspended'; reason: string; until: Instant | undefined }
  | { state: 'revoked'; reason: string; revokedAt: Instant }

/** The revision that holds at an instant: the highest one that has taken effect. */
export function revisionAt(facts: LicenseFacts, at: Instant): LicenseRevision | undefined {
  return facts.revisions.findLast((revision) => revision.effectiveAt <= at)
}

/**
 * The state of a license at an instant, from its facts. Revocation is for good and goes before everything; then a
 * suspension, until it is resumed or its own end; then the term and its grace.
 */
export function licenseState(facts: LicenseFacts, revision: LicenseRevision, at: Instant): LicenseState {
  const acts = facts.acts.filter((act) => act.effectiveAt <= at)
  const revoked = acts.find((act) => act.act === 'revoke')
  if (revoked !== undefined) return { state: 'revoked', reason: revoked.reason, revokedAt: revoked.effectiveAt }
  const last = acts.findLast((act) => act.act !== 'revoke')
  if (last?.act === 'suspend' && (last.until === undefined || at < last.until))
    return { state: 'suspended', reason: last.reason, until: last.until }
  if (at < revision.termStart) return { state: 'not_started', startsAt: revision.termStart }
  if (at < revision.termEnd) return { state: 'active' }
  const graceEndsAt = plusDays(revision.termEnd, revision.graceDays)
  if (at < graceEndsAt) return { state: 'grace', endedAt: revision.termEnd, graceEndsAt }
  return { state: 'expired', endedAt: graceEndsAt }
}
