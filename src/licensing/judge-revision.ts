import { isoOf, type Instant } from '../kernel/index.ts'
import { areTwoPeople, clinicalPurposes, type Actor } from '../identity/index.ts'
import type { LicenseGrant } from './license-document.ts'
import { widens } from './widens.ts'

/** Who records, who approved it, and when. */
export interface Deciders {
  readonly actor: Actor
  readonly approvedBy: Actor | undefined
  readonly now: Instant
}

export interface RevisionWish {
  /** What holds or was last recorded; undefined: a new license. */
  readonly before: LicenseGrant | undefined
  readonly after: LicenseGrant
  readonly effectiveAt: Instant
  readonly isCorrection: boolean
}

export type RevisionRefusal =
  | { reason: 'second_person_needed'; license: string; widens: readonly string[] }
  | { reason: 'evaluation_for_treatment'; license: string; purpose: string }
  | { reason: 'backdated'; license: string; effectiveAt: Instant }
  | { reason: 'term_is_backward'; license: string }

/**
 * May this be recorded? One rule for a new license and for every amendment of it, whoever asks and on whichever way: the
 * admin API, the command line and the declarations all come through here. A draft grants nothing yet, and whoever
 * activates it is the second person.
 */
export function judgeRevision(
  wish: RevisionWish,
  by: Deciders & { readonly isDraft: boolean },
): readonly RevisionRefusal[] {
  const { after } = wish
  const { license } = after
  const refusals: RevisionRefusal[] = []
  const wider = widens(wish.before, after)
  if (wider.length > 0 && !by.isDraft && !areTwoPeople(by.actor, by.approvedBy))
    refusals.push({ reason: 'second_person_needed', license, widens: wider })
  if (after.evaluation)
    for (const purpose of new Set(after.terms.entitlements.flatMap(({ purposes }) => purposes)))
      if (clinicalPurposes.has(purpose)) refusals.push({ reason: 'evaluation_for_treatment', license, purpose })
  if (wish.effectiveAt < by.now && !wish.isCorrection)
    refusals.push({ reason: 'backdated', license, effectiveAt: wish.effectiveAt })
  if (after.termEnd <= after.termStart) refusals.push({ reason: 'term_is_backward', license })
  return refusals
}

/** For people. */
export function revisionRefusalInWords(refusal: RevisionRefusal): string {
  const { license } = refusal
  switch (refusal.reason) {
    case 'second_person_needed':
      return `${license} would allow more than now (${refusal.widens.join('; ')}), and two people stand behind that: a second one has to approve`
    case 'evaluation_for_treatment':
      return `${license} is an evaluation, and an evaluation is never for ${refusal.purpose}`
    case 'backdated':
      return `${license} cannot be amended from ${isoOf(refusal.effectiveAt)} on, which is past: choose now or later, or say that it corrects what was recorded wrongly`
    case 'term_is_backward':
      return `the term of ${license} would end before it begins`
  }
}
