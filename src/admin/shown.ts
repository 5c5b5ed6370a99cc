import { isoOf, type Instant } from '../kernel/index.ts'
import {
  graceEnd,
  type LicenseFacts,
  type LicenseGrant,
  type LicenseRevision,
  type LicenseState,
} from '../licensing/index.ts'
import type { VersionRecord } from '../release/index.ts'
import type { ChangeRequest } from './change-request.ts'

export const isoOrNull = (at: Instant | undefined): string | null => (at === undefined ? null : isoOf(at))

export const shownChangeRequest = (change: ChangeRequest) => ({
  change_request: change.changeId,
  state: change.state,
  operation: change.operation,
  params: change.params,
  body: change.body,
  widens: change.widens,
  asked_by: change.askedBy.name,
  asked_at: isoOf(change.askedAt),
  decided_by: change.decidedBy ?? null,
  decided_at: isoOrNull(change.decidedAt),
  reason: change.reason ?? null,
})

export const shownRevision = (revision: LicenseRevision) => ({
  revision: revision.revision,
  effective_at: isoOf(revision.effectiveAt),
  recorded_at: isoOf(revision.recordedAt),
  recorded_by: revision.recordedBy,
  approved_by: revision.approvedBy ?? null,
  is_correction: revision.isCorrection,
  plan: revision.plan,
  term: { start: isoOf(revision.termStart), end: isoOf(revision.termEnd), graceDays: revision.graceDays },
  grace_ends_at: isoOf(graceEnd(revision)),
  evaluation: revision.evaluation,
  ...revision.terms,
})

/** In the form of `license.yaml`: what is shown here can be sent back as an amendment. */
export const shownGrant = ({ license, plan, termStart, termEnd, graceDays, evaluation, terms }: LicenseGrant) => ({
  license,
  plan,
  term: { start: isoOf(termStart), end: isoOf(termEnd), graceDays },
  evaluation,
  ...terms,
})

export const shownActs = (facts: LicenseFacts) =>
  facts.acts.map((one) => ({
    act: one.act,
    reason: one.reason,
    until: isoOrNull(one.until),
    to_license: one.toLicense ?? null,
    effective_at: isoOf(one.effectiveAt),
    recorded_at: isoOf(one.recordedAt),
    recorded_by: one.recordedBy,
  }))

export const shownAttestations = (facts: LicenseFacts) =>
  facts.attestations.map((one) => ({
    kind: one.kind,
    attested_at: isoOf(one.attestedAt),
    valid_until: isoOrNull(one.validUntil),
    recorded_at: isoOf(one.recordedAt),
    recorded_by: one.recordedBy,
  }))

/** The word, and what belongs to it. */
export const shownState = (state: LicenseState) =>
  Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      typeof value === 'number' ? isoOf(value as Instant) : (value ?? null),
    ]),
  )

/** Changes whenever anything is recorded of the license. */
export const licenseEtag = ({ revisions, acts, attestations }: LicenseFacts): string =>
  `"r${revisions.length}-a${acts.length}-t${attestations.length}"`

export const versionEtag = ({ acts, card }: VersionRecord): string => `"a${acts.length}-c${card?.revision ?? 0}"`

export const shownVersion = ({ model, version, digest, standing, card, acts }: VersionRecord) => ({
  model,
  version,
  digest: `sha256:${digest}`,
  stage: standing.stage,
  recalled:
    standing.recalled === undefined ? null : { reason: standing.recalled.reason, at: isoOf(standing.recalled.at) },
  sign_offs: standing.signOffs.map(({ to, role, by, at }) => ({ to, role, by, at: isoOf(at) })),
  card: card === undefined ? null : { revision: card.revision, digest: `sha256:${card.digest}`, ...card.card },
  acts: acts.map((one) => ({ ...one, at: isoOf(one.at) })),
})
