import { assertNever } from '../../kernel/index.ts'
import {
  mayBeExplained,
  monthName,
  type CloseRefusal,
  type ReopenRefusal,
  type VerifyRefusal,
} from '../../billing/index.ts'

/** Why a month was not closed or not opened again, for whoever typed the command. */
export function periodInWords(refusal: CloseRefusal | ReopenRefusal | VerifyRefusal): string {
  switch (refusal.reason) {
    case 'license_not_found':
      return `there is no license ${refusal.license}`
    case 'period_closed':
      return `${monthName(refusal.period)} of ${refusal.license} is closed${refusal.invoice === undefined ? '' : `: ${refusal.invoice}`}`
    case 'period_before_license':
      return `${refusal.license} begins ${refusal.first === undefined ? 'at no time yet' : `in ${monthName(refusal.first)}`}`
    case 'period_not_ready': {
      const open = refusal.checklist.filter(({ state }) => state === 'open')
      const lines = open.map(
        ({ item, found }) => `${item}: ${found}${mayBeExplained(item) ? ' (--explain may say why)' : ''}`,
      )
      return `${monthName(refusal.period)} of ${refusal.license} cannot be closed yet: ${lines.join('; ')}`
    }
    case 'currencies_differ':
      return `${monthName(refusal.period)} of ${refusal.license} is priced in ${refusal.currencies.join(' and ')}`
    case 'period_not_closed':
      return `${monthName(refusal.period)} of ${refusal.license} is not closed`
    case 'later_period_closed':
      return `${monthName(refusal.later)} of ${refusal.license} is closed already: open it again first, or let corrections do it`
    case 'second_person_missing':
      return 'two people open a month again: --by NAME and --approved-by ANOTHER'
    case 'reason_missing':
      return 'say why: --reason "…"'
    default:
      return assertNever(refusal, 'periodInWords')
  }
}
