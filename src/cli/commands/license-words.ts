import { assertNever } from '../../kernel/index.ts'
import { revisionRefusalInWords, type ActRefusal, type RecordRefusal } from '../../licensing/index.ts'

/** Why an act was refused, in a line for the licensing office. */
export function actInWords(refusal: ActRefusal): string {
  switch (refusal.reason) {
    case 'license_not_found':
      return `there is no license ${refusal.license}`
    case 'act_changes_nothing':
      return `${refusal.license} is ${refusal.state}; there is nothing to ${refusal.act}`
    case 'license_over':
      return `${refusal.license} is ${refusal.state}, and that is for good: grant a new license`
    case 'drafter_cannot_activate':
      return `${refusal.license} was drafted by ${refusal.drafter}: somebody else has to activate it`
    case 'until_is_past':
      return '--until lies in the past'
    default:
      return assertNever(refusal, 'a license refusal')
  }
}

export function recordInWords(refusal: RecordRefusal): string {
  switch (refusal.reason) {
    case 'second_person_needed':
      return `${revisionRefusalInWords(refusal)}: --approved-by NAME`
    case 'evaluation_for_treatment':
    case 'backdated':
    case 'term_is_backward':
      return revisionRefusalInWords(refusal)
    case 'tenant_not_found':
      return `there is no tenant ${refusal.tenant}`
    case 'license_not_found':
      return `there is no license ${refusal.license}`
    case 'license_taken':
      return `${refusal.license} is a license of ${refusal.tenant} already: choose another number`
    case 'license_over':
      return `${refusal.license} is ${refusal.state}, and that is for good: grant a new license`
    case 'nothing_changes':
      return `${refusal.license} says that already; there is nothing to amend`
    case 'facilities_to_name':
      return `${refusal.license} is limited to the facilities ${refusal.facilities.join(', ')}, which are its tenant's own: amend it first, or grant a new license`
    default:
      return assertNever(refusal, 'a license refusal')
  }
}
