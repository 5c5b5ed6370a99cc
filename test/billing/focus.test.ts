import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkFocus } from '../../src/billing/index.ts'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { close, focusFiles, licenses, makeFocusMonths, type FocusTexts } from './focus-month.ts'

let databases: TestDatabase
let database: Database
let open: FocusTexts
let closed: FocusTexts

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await makeFocusMonths(database, 20_260_901)
  open = await focusFiles(database, '2026-09', { now: '2026-09-20T00:00:00Z' })
  for (const license of licenses) await close(database, license, '2026-09', '2026-10-02T00:00:00Z')
  closed = await focusFiles(database, '2026-09')
})
afterAll(async () => {
  await database.close()
  await databases.drop()
})

const checked = (texts: FocusTexts) => checkFocus(Object.entries(texts).map(([name, text]) => ({ name, text: [text] })))

test('a closed month with everything in it breaks no rule', async () => {
  const found = await checked(closed)
  expect(found).toMatchObject({ violations: [], count: 0 })
})

test('an open month breaks none either, and says of every row that it may change', async () => {
  expect(await checked(open)).toMatchObject({ violations: [], count: 0 })
})
