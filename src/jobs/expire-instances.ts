import type { Clock } from '../kernel/index.ts'
import { reachLedger, expireInstances } from '../metering/index.ts'
import type { Job } from './job.ts'

/** Two runs are further apart than this many intervals only when the database, or this process, was away between them. */
const intervalsMax = 2

/** Long enough for every living instance to have given its sign of life once: they beat as often as this job runs. */
const graceIntervals = 1.5

/**
 * Ends what processes left behind that died without a word.
 *
 * When the database was away for longer than a lease time, the living are silent as well, and whoever looked first
 * afterwards would end them all: their open calls as expired, and the budgets lent anew before their last rows arrive. So
 * nobody is ended until the database has been heard for a while without a gap.
 */
export function expireInstancesJob(options: {
  readonly leaseSeconds: number
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Where a job runs once and nothing is remembered until its next run. */
  readonly isRunOnce: boolean
}): Job {
  const everySeconds = Math.min(5, options.leaseSeconds / 4)
  const heard = new Hearing(everySeconds * 1000)
  return {
    name: 'expire-instances',
    everySeconds,
    async run({ database, log }) {
      if (!options.isRunOnce) {
        await reachLedger(database)
        if (!heard.isSteadyAt(options.clock.monotonicMs())) return
      }
      const ended = await expireInstances(database)
      if (ended.instances > 0) log.warn('instances.expired', ended)
    },
  }
}

/** For how long the database has been heard without a gap. */
class Hearing {
  readonly #intervalMs: number
  #sinceMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** The database answered now. */
  isSteadyAt(nowMs: number): boolean {
    if (nowMs - this.#lastMs > this.#intervalMs * intervalsMax) this.#sinceMs = nowMs
    this.#lastMs = nowMs
    return nowMs - this.#sinceMs >= this.#intervalMs * graceIntervals
  }
}
