import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/ledger.ts'
import { openTarget } from './open-target.ts'
import { portkeyRunFile, type PortkeyRun, type Verdict } from './portkey-run.ts'
import { sections } from './sections.ts'
import type { Target } from './target.ts'

const all = sections.flatMap(({ incidents }) => incidents)
let target: Target
const verdicts: Record<string, Verdict> = {}
beforeAll(async () => {
  target = await openTarget()
})
afterAll(async () => {
  await target?.stop()
  const gateway = target?.gateway
  // A run of some of the tests says nothing of the others.
  if (gateway === undefined || Object.keys(verdicts).length < all.length) return
  const run: PortkeyRun = { gateway, verdicts }
  writeFileSync(portkeyRunFile, `${JSON.stringify(run, undefined, 2)}\n`)
})

describe.each(sections)('$title', ({ incidents }) => {
  for (const incident of incidents)
    test(incident.holds, async ({ skip }) => {
      const lacking = incident.needs.filter((ability) => !target.abilities.has(ability))
      verdicts[incident.holds] = lacking.length > 0 ? 'does not apply' : 'does not hold'
      skip(lacking.length > 0, `does not apply: it has no ${lacking.join(', ')}`)
      target.host.resetKnobs()
      // What a test has left behind ends by itself, and must not stand in the log of the next one.
      await until('the host is idle', 30_000, () => target.host.stats().open === 0)
      target.host.clearUsage()
      await incident.test(target)
      verdicts[incident.holds] = 'holds'
    })
})

test('each incident says what must hold in words of its own', () => {
  expect(new Set(all.map(({ holds }) => holds)).size).toBe(all.length)
})
