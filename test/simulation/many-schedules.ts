import { runSchedules, type Plant, type Run } from './run-schedule.ts'
import { planSchedule } from './schedule.ts'

/** Worlds that take turns: enough to share a round of the event loop, few enough to stay in the cache. */
const together = 20

export interface Tally {
  readonly schedules: number
  readonly broken: readonly Run[]
  readonly figures: Readonly<Record<string, number>>
}

/** Runs the schedules of the seeds `from` to `from + count - 1`; stops when `brokenMax` of them broke a guarantee. */
export async function runMany(
  seeds: { from: number; count: number },
  options: { brokenMax: number; plant?: Plant },
): Promise<Tally> {
  const figures: Record<string, number> = {}
  const broken: Run[] = []
  let schedules = 0
  while (schedules < seeds.count && broken.length < options.brokenMax) {
    const size = Math.min(together, seeds.count - schedules)
    const planned = Array.from({ length: size }, (_, index) => planSchedule(seeds.from + schedules + index))
    const runs = await runSchedules(planned, options.plant === undefined ? {} : { plant: options.plant })
    for (const run of runs) {
      for (const [name, value] of Object.entries(run.figures)) figures[name] = (figures[name] ?? 0) + value
      if (run.violation !== undefined) broken.push(run)
    }
    schedules += size
  }
  return { schedules, broken, figures }
}
