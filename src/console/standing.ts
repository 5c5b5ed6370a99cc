import { assertNever } from '../kernel/index.ts'
import type { LicenseState } from '../licensing/index.ts'

/** How a tenant's license stands, as a filter tells them apart. */
export const standings = ['in-force', 'suspended', 'waiting', 'ended', 'none'] as const
export type Standing = (typeof standings)[number]

export function standingOf({ state }: LicenseState): Standing {
  switch (state) {
    case 'active':
    case 'expiring':
    case 'grace':
      return 'in-force'
    case 'suspended':
      return 'suspended'
    case 'draft':
    case 'not_started':
      return 'waiting'
    case 'expired':
    case 'revoked':
    case 'terminated':
    case 'transferred':
      return 'ended'
    default:
      return assertNever(state, 'a license state')
  }
}

export const standingInWords: Readonly<Record<Standing, string>> = {
  'in-force': 'In force',
  suspended: 'Suspended',
  waiting: 'Draft, or not begun',
  ended: 'Ended',
  none: 'No license',
}
