import { assertNever, formatAmount, picos, type Instant, type Picos } from '../kernel/index.ts'
import type { TenantKind } from '../identity/index.ts'
import type { Budget, LicenseState } from '../licensing/index.ts'
import type { Stage } from '../policy/index.ts'

// What the console says, in words for somebody who has never read the code.

const day = new Intl.DateTimeFormat('en-US', { dateStyle: 'long', timeZone: 'UTC' })
const month = new Intl.DateTimeFormat('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' })
const whole = new Intl.NumberFormat('en-US')

export const dayOf = (at: Instant): string => day.format(at)
export const monthOf = (at: Instant): string => month.format(at)
export const countOf = (count: bigint | number): string => whole.format(count)

export const counted = (count: number, one: string, many: string): string =>
  `${countOf(count)} ${count === 1 ? one : many}`

/** An exact amount of money, grouped for the eye: nothing is rounded here. */
const amountOf = (amount: Picos): string => groupedAmount(formatAmount(amount))

/** "-1234567.50" is "-1,234,567.50". */
export function groupedAmount(decimal: string): string {
  const [, sign = '', units = '0', fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal) ?? []
  return `${sign}${countOf(BigInt(units))}${fraction === undefined ? '' : `.${fraction}`}`
}
export const moneyOf = (amount: Picos, currency: string): string => `${amountOf(amount)} ${currency}`

export function kindInWords(kind: TenantKind): string {
  switch (kind) {
    case 'owner':
      return 'Owner of the models'
    case 'health-system':
      return 'Health system'
    case 'hospital':
      return 'Hospital'
    case 'research':
      return 'Research institution'
    case 'application':
      return 'Consumer application'
    default:
      return assertNever(kind, 'a kind of tenant')
  }
}

export function stateInWords(state: LicenseState, termEnd: Instant): string {
  switch (state.state) {
    case 'active':
      return `In force until ${dayOf(termEnd)}`
    case 'expiring':
      return `In force until ${dayOf(state.endsAt)}, which is soon`
    case 'draft':
      return 'A draft; nobody has activated it yet'
    case 'terminated':
      return `Ended on ${dayOf(state.endedAt)}: ${state.reason}`
    case 'transferred':
      return `Goes on as ${state.toLicense} since ${dayOf(state.endedAt)}`
    case 'grace':
      return `Ended on ${dayOf(state.endedAt)}; still works until ${dayOf(state.graceEndsAt)}`
    case 'not_started':
      return `Starts on ${dayOf(state.startsAt)}`
    case 'expired':
      return `Expired on ${dayOf(state.endedAt)}`
    case 'suspended':
      return `Suspended ${state.until === undefined ? 'until it is resumed' : `until ${dayOf(state.until)}`}: ${state.reason}`
    case 'revoked':
      return `Revoked on ${dayOf(state.revokedAt)}: ${state.reason}`
    default:
      return assertNever(state, 'a license state')
  }
}

/** Who may reach a version at a stage. */
export function stageInWords(stage: Stage): string {
  switch (stage) {
    case 'sealed':
      return 'Nobody yet'
    case 'expert':
      return 'The owner’s experts'
    case 'owner':
      return 'The owner’s experts and clinicians'
    case 'licensed':
      return 'Licensed clinicians'
    case 'patient':
      return 'Licensed clinicians and patients'
    case 'consumer':
      return 'Everybody licensed, consumers too'
    default:
      return assertNever(stage, 'a stage')
  }
}

const meters: Readonly<Record<Budget['meter'], string>> = {
  requests: 'calls',
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  tokens: 'tokens',
  inferences: 'inferences',
  cost: 'cost',
}

export function budgetInWords(budget: Budget): string {
  const parts = [budget.application, budget.model, budget.facility].filter((part) => part !== undefined)
  const what = meters[budget.meter]
  return [`${what.charAt(0).toUpperCase()}${what.slice(1)} per ${budget.per}`, ...parts].join(', ')
}

/** What is used, and of how much, in a budget's own unit; said once when both have it. */
export function usedInWords(budget: Budget, used: bigint, limit: bigint | null, currency: string): string {
  const amount = (of: bigint) => (budget.meter === 'cost' ? amountOf(picos(of)) : countOf(of))
  const unit = budget.meter === 'cost' ? currency : meters[budget.meter]
  if (limit !== null) return `${amount(used)} of ${amount(limit)} ${unit}`
  const agreed = budget.meter === 'cost' ? budget.limit : countOf(budget.limit)
  return `${amount(used)} ${unit}; ${agreed} agreed, more is allowed`
}
