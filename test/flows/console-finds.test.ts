import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadOverview, tenantsOnPage, type OverviewAsked } from '../../src/console/load-overview.ts'
import { standingOf, standings } from '../../src/console/standing.ts'
import { overviewOf, readCursor } from '../../src/console/overview.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { licenseState, loadLicenses, revisionAt } from '../../src/licensing/index.ts'
import { openWorld, type World } from '../isolation/world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

const now = () => instant(Date.now())
const ask = (asked: Partial<OverviewAsked> = {}) =>
  loadOverview(world.house.database, undefined, now(), { find: '', standing: undefined, after: undefined, ...asked })
const names = (facts: Awaited<ReturnType<typeof ask>>) => facts.tenants.map(({ tenant }) => tenant)

test('the filter by license finds who the rule of the domain says, in every state that there is', async () => {
  const everybody = await ask()
  const licenses = await systemTransaction(world.house.database, 'administer', (tx) => loadLicenses(tx, 'all'))
  const standing = (tenantId: string) => {
    const own = licenses
      .filter((facts) => facts.tenantId === tenantId)
      .flatMap((facts) => {
        const revision = revisionAt(facts, now()) ?? facts.revisions[0]
        return revision === undefined ? [] : [standingOf(licenseState(facts, revision, now()))]
      })
    return own.find((one) => one === 'in-force') ?? own.at(-1) ?? 'none'
  }
  const met = new Set<string>()
  for (const one of standings) {
    const expected = everybody.tenants.filter(({ tenantId }) => standing(tenantId) === one).map(({ tenant }) => tenant)
    expect([one, names(await ask({ standing: one }))]).toEqual([one, expected])
    if (expected.length > 0) met.add(one)
  }
  expect([...met]).toEqual(expect.arrayContaining(['in-force', 'suspended', 'waiting', 'ended']))
})

test('a name is found by a part of it, and what means something to a database means nothing here', async () => {
  const [first] = (await ask()).tenants.filter(({ kind }) => kind !== 'owner')
  const part = first?.name.slice(2).toUpperCase() ?? ''
  expect(names(await ask({ find: part }))).toContain(first?.tenant)
  for (const find of ['%', '_', String.raw`\ `, "' or true --"]) expect(names(await ask({ find }))).toEqual([])
})

test('page by page everybody is seen once, the owner first', async () => {
  await world.house.database.systemPool.query(
    `insert into tenant (tenant, name, kind) select 'filler-' || n, 'Filler ' || (n % 7), 'hospital'
     from generate_series(1, 120) n`,
  )
  const seen: string[] = []
  let after: Parameters<typeof readCursor>[0]
  for (let page = 0; page < 5; page++) {
    const facts = await ask({ after: readCursor(after) })
    expect(facts.tenants.length).toBeLessThanOrEqual(tenantsOnPage)
    seen.push(...names(facts))
    after = overviewOf(facts).next
    if (after === undefined) break
  }
  const { rows } = await world.house.database.systemPool.query<{ count: number }>(
    'select count(*)::integer as count from tenant where ended_at is null',
  )
  expect([seen.length, new Set(seen).size]).toEqual([rows[0]?.count, rows[0]?.count])
  expect(overviewOf(await ask({ find: 'filler-12' })).found).toBe('2 organizations')
})
