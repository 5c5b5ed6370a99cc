import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { until } from '../support/ledger.ts'
import { openTarget } from './open-target.ts'
import { sections } from './sections.ts'
import type { Target } from './target.ts'

let target: Target
beforeAll(async () => {
  target = await openTarget()
})
afterAll(() => target?.stop())
beforeEach(async () => {
  target.host.resetKnobs()
  // What a test has left behind ends by itself, and must not stand in the log of the next one.
  await until('the host is idle', 10_000, () => target.host.stats().open === 0)
  target.host.clearUsage()
})

describe.each(sections)('$title', ({ incidents }) => {
  for (const { holds, needs, test: holdsFor } of incidents)
    test(holds, async ({ skip }) => {
      const lacking = needs.filter((ability) => !target.abilities.has(ability))
      skip(lacking.length > 0, `does not apply: it has no ${lacking.join(', ')}`)
      await holdsFor(target)
    })
})
