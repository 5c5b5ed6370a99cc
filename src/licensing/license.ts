import { z } from 'zod'
import { instant, plusDays, type Instant, type Uuid } from '../kernel/index.ts'
import type { Terms } from './terms.ts'

/** One immutable revision of a license. */
export interface LicenseRevision {
  readonly revision: number
  readonly effectiveAt: Instant
  readonly recordedAt: Instant
  readonly recordedBy: string
  /** The second person, where the revision widened what was granted. */
  readonly approvedBy: string | undefined
  /** It sets right what was recorded wrongly, and may take effect in the past. */
  readonly isCorrection: boolean
  readonly plan: string
  /** The term is [termStart, termEnd). */
  readonly termStart: Instant
  readonly termEnd: Instant
  readonly graceDays: number
  readonly evaluation: boolean
  readonly terms: Terms
}

export const LicenseActName = z.enum(['draft', 'activate', 'suspend', 'resume', 'revoke', 'terminate', 'transfer'])
export type LicenseActName = z.infer<typeof LicenseActName>

export interface LicenseAct {
  readonly act: LicenseActName
  readonly reason: string
  readonly until: Instant | undefined
  /** Of a transfer: the number under which it goes on. */
  readonly toLicense: string | undefined
  readonly effectiveAt: Instant
  readonly recordedAt: Instant
  readonly recordedBy: string
}

export const AttestationKind = z.enum(['training', 'instructions-for-use', 'business-associate-agreement', 'insurance'])
export type AttestationKind = z.infer<typeof AttestationKind>

export interface Attestation {
  readonly kind: AttestationKind
  readonly attestedAt: Instant
  readonly validUntil: Instant | undefined
  readonly recordedAt: Instant
  readonly recordedBy: string
}

export interface LicenseFacts {
  readonly tenantId: Uuid
  readonly license: string
  /** In the order of their numbers. */
  readonly revisions: readonly LicenseRevision[]
  /** In the order in which they take effect, and of those at one instant in which they were recorded. */
  readonly acts: readonly LicenseAct[]
  /** In the order in which they were recorded. */
  readonly attestations: readonly Attestation[]
}

export type LicenseState =
  | { state: 'draft' }
  | { state: 'not_started'; startsAt: Instant }
  | { state: 'active' }
  /** In force, and over within `expiringDays`. */
  | { state: 'expiring'; endsAt: Instant }
  | { state: 'grace'; endedAt: Instant; graceEndsAt: Instant }
  /** `isReadable`: what it licensed can still be looked at, not called. */
  | { state: 'expired'; endedAt: Instant; isReadable: boolean }
  | { state: 'suspended'; reason: string; until: Instant | undefined }
  | { state: 'revoked'; reason: string; revokedAt: Instant }
  | { state: 'terminated'; reason: string; endedAt: Instant }
  | { state: 'transferred'; toLicense: string; endedAt: Instant }

/** So long before its end a license is called expiring. It changes nothing but the word. */
export const expiringDays = 30

/**
 * The revision that holds at an instant: of those that have taken effect the one that did so last, and of several at one
 * instant the one that was recorded last. A correction takes the place of what it corrects and of nothing that came later.
 */
export function revisionAt(facts: LicenseFacts, at: Instant): LicenseRevision | undefined {
  let held: LicenseRevision | undefined
  for (const revision of facts.revisions)
    if (revision.effectiveAt <= at && (held === undefined || revision.effectiveAt >= held.effectiveAt)) held = revision
  return held
}

/** What was known by an instant: whatever was recorded later had not been said. */
export const knownBy = (facts: LicenseFacts, knownAt: Instant): LicenseFacts => ({
  ...facts,
  revisions: facts.revisions.filter(({ recordedAt }) => recordedAt <= knownAt),
  acts: facts.acts.filter(({ recordedAt }) => recordedAt <= knownAt),
  attestations: facts.attestations.filter(({ recordedAt }) => recordedAt <= knownAt),
})

export interface LicenseAsOf {
  readonly revision: LicenseRevision
  readonly state: LicenseState
  readonly overdue: readonly Overdue[]
}

/** What was in force at `at`, as far as it was known at `knownAt`; undefined before its first revision was recorded. */
export function licenseAsOf(
  facts: LicenseFacts,
  { at, knownAt }: { at: Instant; knownAt: Instant },
): LicenseAsOf | undefined {
  const known = knownBy(facts, knownAt)
  const revision = revisionAt(known, at) ?? known.revisions[0]
  if (revision === undefined) return undefined
  return { revision, state: licenseState(known, revision, at), overdue: overdueAttestations(known, revision, at) }
}

/**
 * The state of a license at an instant, from its facts; it is stored nowhere. What is for good goes before everything:
 * a revocation, then an end by contract. Then a suspension, until it is resumed or its own end; then a draft that nobody
 * has activated; then the term, its grace and what the license says of its end.
 */
export function licenseState(facts: LicenseFacts, revision: LicenseRevision, at: Instant): LicenseState {
  const done = facts.acts.length === 0 ? facts.acts : facts.acts.filter((act) => act.effectiveAt <= at)
  if (done.length > 0) {
    const byAct = stateByActs(done, at)
    if (byAct !== undefined) return byAct
  }
  if (at < revision.termStart || at < revision.effectiveAt)
    return { state: 'not_started', startsAt: instant(Math.max(revision.termStart, revision.effectiveAt)) }
  if (at < revision.termEnd)
    return at < plusDays(revision.termEnd, -expiringDays)
      ? { state: 'active' }
      : { state: 'expiring', endsAt: revision.termEnd }
  const graceEndsAt = graceEnd(revision)
  if (at < graceEndsAt) return { state: 'grace', endedAt: revision.termEnd, graceEndsAt }
  return { state: 'expired', endedAt: graceEndsAt, isReadable: revision.terms.expiry === 'read-only' }
}

/** Days of grace are given by licenses that do not stop at their end. */
export const graceEnd = ({ termEnd, graceDays, terms }: LicenseRevision): Instant =>
  terms.expiry === 'stop' ? termEnd : plusDays(termEnd, graceDays)

function stateByActs(done: readonly LicenseAct[], at: Instant): LicenseState | undefined {
  const revoked = done.find((act) => act.act === 'revoke')
  if (revoked !== undefined) return { state: 'revoked', reason: revoked.reason, revokedAt: revoked.effectiveAt }
  const ended = done.find((act) => act.act === 'terminate' || act.act === 'transfer')
  if (ended !== undefined)
    return ended.toLicense === undefined
      ? { state: 'terminated', reason: ended.reason, endedAt: ended.effectiveAt }
      : { state: 'transferred', toLicense: ended.toLicense, endedAt: ended.effectiveAt }
  const halted = done.findLast((act) => act.act === 'suspend' || act.act === 'resume')
  if (halted?.act === 'suspend' && (halted.until === undefined || at < halted.until))
    return { state: 'suspended', reason: halted.reason, until: halted.until }
  const drafted = done.findLast((act) => act.act === 'draft' || act.act === 'activate')
  return drafted?.act === 'draft' ? { state: 'draft' } : undefined
}

export interface Overdue {
  readonly kind: AttestationKind
  readonly dueAt: Instant
}

/** What the license asks to be attested, and nobody has attested, or no longer validly. */
export function overdueAttestations(facts: LicenseFacts, revision: LicenseRevision, at: Instant): readonly Overdue[] {
  const asked = revision.terms.attestations
  if (asked === undefined) return []
  return asked.flatMap(({ kind, due }) => {
    const dueAt = instant(Date.parse(due))
    if (at < dueAt) return []
    const holds = facts.attestations.some(
      (given) =>
        given.kind === kind && given.attestedAt <= at && (given.validUntil === undefined || at < given.validUntil),
    )
    return holds ? [] : [{ kind, dueAt }]
  })
}
