import { instant, isoOf, plusDays, type Instant } from '../kernel/index.ts'
import type { Current } from './change.ts'
import type { Declarations, DeclaredTenant } from './declarations.ts'
import type { Problem } from './problem.ts'

/** A sunset that is new, or was moved, leaves the tenant the days of notice that the model's file promises. */
export function refuseSunsets(
  current: Current,
  models: Declarations['models'],
  { tenant, license: { value, source } }: Pick<DeclaredTenant, 'tenant' | 'license'>,
  now: Instant,
): readonly Problem[] {
  const kept = current.license.find(({ row }) => row.tenant === tenant.value.tenant && row.license === value.license)
  return value.entitlements.flatMap(({ model, pin, sunset }, index) => {
    if (sunset === undefined) return []
    const isKnown = kept?.row.terms.entitlements.some(
      (right) => right.model === model && right.pin === pin && right.sunset === sunset,
    )
    const days = models.find((declared) => declared.value.model === model)?.value.noticeDays ?? 0
    const earliest = plusDays(now, days)
    if (isKnown === true || instant(Date.parse(sunset)) >= earliest) return []
    return [
      source.problem(['entitlements', index, 'sunset'], {
        message: `${tenant.value.tenant} would have less than the ${days} days of notice that ${model} promises`,
        advice: `write a time from ${isoOf(earliest)} on; a version that is dangerous is recalled, at once`,
      }),
    ]
  })
}
