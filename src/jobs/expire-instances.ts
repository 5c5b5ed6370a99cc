import { expireInstances } from '../metering/index.ts'
import type { Job } from './job.ts'

/** Ends what processes left behind that died without a word. */
export const expireInstancesJob = (leaseSeconds: number): Job => ({
  name: 'expire-instances',
  everySeconds: Math.min(5, leaseSeconds / 4),
  async run({ database, log }) {
    const ended = await expireInstances(database)
    if (ended.instances > 0) log.warn('instances.expired', ended)
  },
})
