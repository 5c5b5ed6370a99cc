import { isoOf, type Instant, type Json } from '../kernel/index.ts'
import type { Terms } from './terms.ts'

/** Everything that a revision of a license says, whoever it is said to and whenever it takes effect. */
export interface LicenseGrant {
  readonly license: string
  readonly plan: string
  /** The term is [termStart, termEnd). */
  readonly termStart: Instant
  readonly termEnd: Instant
  readonly graceDays: number
  readonly evaluation: boolean
  readonly terms: Terms
}

/** A grant as a document, at UTC, so that its digest can be made again from its row. */
export const licenseDocument = (grant: LicenseGrant): { readonly [key: string]: Json | undefined } => ({
  license: grant.license,
  plan: grant.plan,
  term: { start: instantText(grant.termStart), end: instantText(grant.termEnd), graceDays: grant.graceDays },
  evaluation: grant.evaluation,
  ...grant.terms,
})

const instantText = (at: Instant): string => isoOf(at).replace('.000Z', 'Z')
