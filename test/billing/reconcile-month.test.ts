import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { differenceClasses } from '../../src/billing/reconcile/difference.ts'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { plantMonth } from './planted-month.ts'
import { runPlantedMonth } from './run-planted-month.ts'

let databases: TestDatabase
let database: Database
let folder: string

beforeEach(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  folder = mkdtempSync(join(tmpdir(), 'formulary-month-'))
})
afterEach(async () => {
  await database.close()
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

test('a month in which nothing went wrong raises no alarm', async () => {
  const planted = await plantMonth(database, { calls: 400, faultsPerKind: 0, seed: 7, folder })
  await planted.importReports()
  const { ran, findings } = await runPlantedMonth(database, planted)
  expect(findings).toEqual([])
  expect(ran.figures.classes).toEqual({})
  const { ours, agreed } = ran.figures.calls
  expect([agreed.calls, agreed.input, agreed.picos]).toEqual([ours.calls, ours.input, ours.picos])
  expect(ran.figures.stripe?.hours.agreed).toBe(ran.figures.stripe?.hours.ours)
})

test.each([1, 2, 3, 4, 5, 6])(
  'each of sixteen kinds of fault is found in its class with its rows, and nothing else is: seed %i',
  async (seed) => {
    const faultsPerKind = 2 + (seed % 5)
    const planted = await plantMonth(database, { calls: 150 + 37 * seed, faultsPerKind, seed, folder })
    await planted.importReports()
    const { ran, findings } = await runPlantedMonth(database, planted)
    expect(findings).toEqual([])
    expect(Object.keys(ran.figures.classes).toSorted()).toEqual([...differenceClasses].toSorted())
  },
)
