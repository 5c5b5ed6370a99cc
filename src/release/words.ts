import { assertNever, isoOf } from '../kernel/index.ts'
import type { VersionRefusal } from './act-on-version.ts'

/** What the licensing office reads when a version may not do what was wished: what is wrong, and what to do instead. */
export function wordsForVersion(refusal: VersionRefusal): { message: string; advice: string } {
  switch (refusal.reason) {
    case 'version_not_found':
      return {
        message: `there is no version ${refusal.version} of ${refusal.model}`,
        advice: 'declare it in models/, and apply',
      }
    case 'version_recalled_for_good':
      return {
        message: `${refusal.model} ${refusal.version} is recalled, and that is for good`,
        advice: 'declare a new version',
      }
    case 'promotion_goes_one_step':
      return {
        message: `it is at stage ${refusal.stage}; promotion goes one step at a time`,
        advice: refusal.next === undefined ? 'there is no stage beyond' : `promote to ${refusal.next} first`,
      }
    case 'demotion_goes_back':
      return { message: `it is at stage ${refusal.stage}`, advice: 'name a stage before it' }
    case 'card_missing':
      return { message: 'it has no card', advice: 'write card: in its file, and apply' }
    case 'card_incomplete':
      return {
        message: `its card does not answer ${listed(refusal.missing)}`,
        advice: 'write them under card.sourceAttributes ("Not available" is an answer), and apply',
      }
    case 'sign_off_missing':
      return {
        message: `this step is not signed off by: ${refusal.roles.join(', ')}`,
        advice: 'sign off this step in each role, by two people: formulary version sign-off, or signOffs: in the file',
      }
    case 'sign_offs_of_one_person':
      return { message: `both sign-offs are by ${refusal.by}`, advice: 'let another person sign off one of the roles' }
    case 'sign_off_is_for_the_next_step':
      return {
        message: `it is at stage ${refusal.stage}`,
        advice: refusal.next === undefined ? 'there is no step left' : `sign off its next step, to ${refusal.next}`,
      }
    case 'signed_already':
      return {
        message: `${refusal.by} has signed this off already`,
        advice: 'a step is signed off anew on another day',
      }
    case 'notice_missing':
      return {
        message: `these pin an older version and were not told: ${listed(refusal.tenants)}`,
        advice: 'formulary notice issue tells them; promote when the notice has run out',
      }
    case 'notice_period_runs':
      return {
        message: `the notice to ${listed(refusal.tenants)} runs until ${isoOf(refusal.until)}`,
        advice: 'promote then',
      }
    default:
      return assertNever(refusal, 'a refusal about a version')
  }
}

const listed = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`
