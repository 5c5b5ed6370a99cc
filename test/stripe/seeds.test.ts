import { expect, inject, test } from 'vitest'
import { cloneDatabase } from '../support/postgres.ts'
import { compareSeed, runCalm, seedsPerWorld } from './compare-seed.ts'
import { openLane } from './lane.ts'
import type { Outcome } from './outcome.ts'

/** `npm run stripe:seeds -- 10000` runs many more. */
const seeds = 24

test('whatever crashes, is lost, doubled, reordered or late, Stripe and the journal end as in a run without faults', async () => {
  const databases = await cloneDatabase()
  const superuserUrl = new URL(inject('postgresAdminUrl'))
  superuserUrl.pathname = new URL(databases.appUrl).pathname
  const lane = await openLane({ appUrl: databases.appUrl, superuserUrl: superuserUrl.href })
  let [crashes, faults, deliveries] = [0, 0, 0]
  let calm: Outcome | undefined
  try {
    for (let seed = 0; seed < seeds; seed++) {
      const world = Math.floor(seed / seedsPerWorld)
      if (seed % seedsPerWorld === 0) calm = await runCalm(lane, world)
      if (calm === undefined) throw new Error('no run without faults')
      const compared = await compareSeed(lane, { world, seed, calm })
      expect(compared.different, compared.told).toEqual([])
      crashes += compared.crashes
      faults += compared.faults
      deliveries += compared.deliveries
    }
    // A run without faults would prove nothing.
    expect(crashes).toBeGreaterThan(seeds / 2)
    expect(faults).toBeGreaterThan(seeds)
    expect(deliveries).toBeGreaterThan(seeds)
  } finally {
    await lane.close()
    await databases.drop()
  }
})
