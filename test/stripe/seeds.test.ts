import pg from 'pg'
import { expect, test } from 'vitest'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase } from '../support/postgres.ts'
import { compareSeed } from './compare-seed.ts'

/** `npm run stripe:seeds -- 10000` runs many more. */
const seeds = 20

test('whatever crashes, is lost, doubled, reordered or late, Stripe ends with the totals of a run without faults', async () => {
  const databases = await cloneDatabase()
  const database = openTestDatabase(databases.appUrl)
  const owner = new pg.Pool({ connectionString: databases.ownerUrl, max: 1 })
  let [crashes, faults] = [0, 0]
  try {
    for (let seed = 1; seed <= seeds; seed++) {
      const compared = await compareSeed(database, owner, seed)
      expect(compared.isEqual, compared.told).toBe(true)
      crashes += compared.crashes
      faults += compared.faults
    }
    // A run without faults would prove nothing.
    expect(crashes).toBeGreaterThan(seeds / 2)
    expect(faults).toBeGreaterThan(seeds)
  } finally {
    await owner.end()
    await database.close()
    await databases.drop()
  }
})
