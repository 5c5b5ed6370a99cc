import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkFocus } from '../../src/billing/index.ts'
import type { Dataset } from '../../src/billing/focus/columns.ts'
import type { Database } from '../../src/db/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'
import { close, focusFiles, licenses, makeFocusMonths, type FocusTexts } from './focus-month.ts'
import { mutations, type Mutation } from './focus-mutations.ts'
import { copyOf, tablesOf, textOf, type Tables } from './focus-table.ts'

let databases: TestDatabase
let database: Database
let texts: FocusTexts
let tables: Tables

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await makeFocusMonths(database, 7, 70)
  for (const license of licenses) await close(database, license, '2026-09', '2026-10-02T00:00:00Z')
  texts = await focusFiles(database, '2026-09')
  tables = tablesOf(texts)
})
afterAll(async () => {
  await database.close()
  await databases.drop()
})

async function rulesBroken(changed: FocusTexts): Promise<readonly string[]> {
  const found = await checkFocus(Object.entries(changed).map(([name, text]) => ({ name, text: [text] })))
  if ('reason' in found) return [found.reason]
  return [...new Set(found.violations.map(({ rule }) => rule))].toSorted()
}

/** What is wrong with how a fault was told; nothing when it was told by its rule, and by no other than is known. */
async function misses(mutation: Mutation, seed: number): Promise<string | undefined> {
  const { dataset, rule, also } = mutation
  const table = copyOf(tables[dataset])
  mutation.apply(table, seeded(seed))
  const broken = await rulesBroken({ ...texts, [dataset]: textOf(table) })
  const others = broken.filter((one) => one !== rule && !also.includes(one))
  if (broken.includes(rule) && others.length === 0) return undefined
  return `${rule} (seed ${seed}): told were ${broken.join(', ') || 'none'}`
}

test('the files that are mutated break no rule, and are read back as they were written', async () => {
  expect(await rulesBroken(texts)).toEqual([])
  for (const [dataset, table] of Object.entries(tables)) expect(textOf(table)).toBe(texts[dataset as Dataset])
})

const seeds = Number(process.env['FOCUS_SEEDS'] ?? 1)

test('every rule is broken once and more, and each fault is told by its rule', { timeout: 600_000 }, async () => {
  const missed: string[] = []
  let count = 0
  for (let seed = 1; seed <= seeds; seed += 1)
    for (const mutation of mutations) {
      count += 1
      const problem = await misses(mutation, seed * 1000 + count)
      if (problem !== undefined) missed.push(problem)
    }
  expect(missed).toEqual([])
  expect(count).toBeGreaterThanOrEqual(300)
})
