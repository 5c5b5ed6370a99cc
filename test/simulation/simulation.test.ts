import { describe, expect, test } from 'vitest'
import { runMany } from './many-schedules.ts'
import { plantedFaults } from './planted-faults.ts'
import { runSchedule } from './run-schedule.ts'
import { planSchedule } from './schedule.ts'
import { report, shrink } from './shrink.ts'

/** A suite that everybody runs has few; SEEDS=100000 runs many, and FROM=17 SEEDS=1 that one. */
const count = Number(process.env['SEEDS'] ?? 2_000)
const from = Number(process.env['FROM'] ?? 1)
/** A planted fault has to show itself within so many seeds. */
const seedsForAFault = 2_500
/** On a slow machine a schedule takes some milliseconds. */
const timeout = 60_000 + count * 10

describe('quota and metering under a simulated clock, network and crashes', () => {
  test(
    `${count} schedules: nothing lost, nothing doubled, nothing overspent, nothing held`,
    async () => {
      const { broken, figures, schedules } = await runMany({ from, count }, { brokenMax: 1 })
      const [first] = broken
      if (first !== undefined) {
        const { seed } = first.schedule
        throw new Error(report(seed, await shrink(first.schedule, {})))
      }
      expect(schedules).toBe(count)
      // A run in which nothing happens proves nothing.
      if (count >= 1_000)
        for (const name of ['delivered', 'refused', 'unavailable', 'expired', 'spooled', 'late'])
          expect(figures[name], name).toBeGreaterThan(10)
    },
    timeout,
  )

  test('a schedule runs the same whenever it runs, and whatever runs beside it', async () => {
    const alone = await runSchedule(planSchedule(7), { keepsHistory: true })
    await runMany({ from: 1, count: 40 }, { brokenMax: 1 })
    const again = await runSchedule(planSchedule(7), { keepsHistory: true })
    expect(again.history).toEqual(alone.history)
    expect(alone.history.length).toBeGreaterThan(20)
  })
})

describe('the checker finds a planted fault', () => {
  test.each(plantedFaults)(
    '$name',
    async (plant) => {
      const { broken } = await runMany({ from: 1, count: seedsForAFault }, { brokenMax: 1, plant })
      expect(broken, `no seed up to ${seedsForAFault} shows it`).not.toHaveLength(0)
    },
    60_000,
  )

  test('and shows it in a history that a person can read', async () => {
    const plant = plantedFaults.find(({ name }) => name.startsWith('a failure of the database'))
    if (plant === undefined) throw new Error('no such fault')
    const { broken } = await runMany({ from: 1, count: seedsForAFault }, { brokenMax: 1, plant })
    const [first] = broken
    if (first === undefined) throw new Error('nothing was found')
    const small = await shrink(first.schedule, { plant })
    expect(small.violation?.guarantee).toBe(first.violation?.guarantee)
    expect(small.schedule.calls.length).toBeLessThan(4)
    expect(report(first.schedule.seed, small).split('\n').length).toBeLessThan(60)
  }, 60_000)
})
