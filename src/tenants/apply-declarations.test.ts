import { createHash } from 'node:crypto'
import fc from 'fast-check'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { reviewed } from '../../test/support/house.ts'
import { cloneDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import { openDatabase, systemTransaction, type Database } from '../db/index.ts'
import { assert, canonicalJson, instant, plusDays } from '../kernel/index.ts'
import { loadVersions } from '../release/index.ts'
import { applyDeclarations, planDeclarations } from './apply-declarations.ts'
import type { Plan } from './change.ts'
import type { Declarations } from './declarations.ts'
import { readDeclarations } from './read-declarations.ts'
import { filesOf, sampleTree, variedTree, withEdit, withoutFiles, type Tree } from './sample-tree.ts'

const now = instant(Date.parse('2026-11-23T12:00:00Z'))
const license = 'lakeside/license.yaml'
const tenant = 'lakeside/tenant.yaml'
const model = 'models/assistant.yaml'

let clone: TestDatabase
let database: Database

beforeEach(async () => {
  clone = await cloneDatabase()
  database = openDatabase({
    url: clone.appUrl,
    applicationName: 'test',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 4,
    connectTimeoutMs: 5000,
    statementTimeoutMs: 30_000,
  })
})

afterEach(async () => {
  await database.close()
  await clone.drop()
})

function declarationsOf(tree: Tree): Declarations {
  const read = readDeclarations(filesOf(tree))
  assert(read.ok, read.ok ? '' : JSON.stringify(read.error, undefined, 2))
  return read.value
}

async function apply(tree: Tree, at = now): Promise<Plan> {
  const applied = await applyDeclarations(database, declarationsOf(tree), reviewed(at))
  assert(applied.ok, applied.ok ? '' : JSON.stringify(applied.error, undefined, 2))
  return applied.value
}

async function rows(sql: string): Promise<readonly Record<string, unknown>[]> {
  return (await database.systemPool.query<Record<string, unknown>>(sql)).rows
}

const tables = [
  'model',
  'model_version',
  'version_act',
  'version_card',
  'deployment',
  'plan_revision',
  'policy_revision',
  'tenant_policy_revision',
  'tenant',
  'facility',
  'application',
  'client',
  'sign_in',
  'license',
  'license_revision',
  'directory_change',
]

/** Every row version of every table: whatever is written, even a row that stays as it was, changes it. */
const everything = () =>
  Promise.all(
    tables.map((table) =>
      rows(`select '${table}' as name, ctid::text, xmin::text, row.* from "${table}" row order by 2`),
    ),
  )

test('a tree is applied whole', async () => {
  const { changes } = await apply(sampleTree)
  expect(changes).toHaveLength(19)
  expect(await rows('select tenant, name, kind, ended_at from tenant order by tenant')).toEqual([
    { tenant: 'clinic', name: 'The Clinic', kind: 'owner', ended_at: null },
    { tenant: 'lakeside', name: 'Lakeside', kind: 'hospital', ended_at: null },
  ])
  expect(
    await rows('select version, first_stage, context_tokens, output_tokens from model_version order by version'),
  ).toEqual([
    { version: '1.0.0', first_stage: 'licensed', context_tokens: 8000n, output_tokens: 1000n },
    { version: '1.1.0', first_stage: 'owner', context_tokens: 8000n, output_tokens: 1000n },
    { version: '3.0.0', first_stage: 'licensed', context_tokens: 1n, output_tokens: 0n },
  ])
  expect(
    await rows(`select audience, facilities, purposes, scopes from application where application = 'ehr'`),
  ).toEqual([
    {
      audience: 'clinician',
      facilities: ['general', 'north'],
      purposes: ['TREAT', 'HOPERAT'],
      scopes: ['chat', 'infer'],
    },
  ])
  expect(
    await rows(`select url, upstream_model, region, weight, credential_env from deployment where version = '1.0.0'`),
  ).toEqual([
    {
      url: 'https://east.example/v1',
      upstream_model: 'assistant-1',
      region: 'us-east',
      weight: 1,
      credential_env: 'EAST_KEY',
    },
  ])
})

test('a license revision keeps its terms, who recorded it, and the digest of what was declared', async () => {
  await apply(sampleTree)
  const [row] = await rows(`select * from license_revision where license = 'LIC-2'`)
  const declared = declarationsOf(sampleTree).tenants[1]?.license.value
  assert(declared, 'the sample has two tenants')
  const { license: number, plan, term, evaluation, ...terms } = declared
  const document = canonicalJson({
    license: number,
    plan,
    term: { start: '2026-07-01T05:00:00Z', end: '2027-07-01T05:00:00Z', graceDays: term.graceDays },
    evaluation,
    ...terms,
  })
  expect(row).toMatchObject({
    revision: 1,
    effective_at: new Date(now),
    recorded_by: 'a test',
    approved_by: 'its reviewer',
    plan: 'standard',
    term_start: new Date('2026-07-01T05:00:00Z'),
    term_end: new Date('2027-07-01T05:00:00Z'),
    grace_days: 14,
    evaluation: false,
    terms,
    document_sha256: createHash('sha256').update(document).digest(),
  })
})

test('a second apply writes nothing', async () => {
  await apply(sampleTree)
  const before = await everything()
  expect(await apply(sampleTree, plusDays(now, 1))).toEqual({ changes: [], notes: [], widening: [] })
  expect(await everything()).toEqual(before)
})

test('a plan writes nothing', async () => {
  const before = await everything()
  const planned = await planDeclarations(database, declarationsOf(sampleTree), now)
  expect(planned.ok && planned.value.changes).toHaveLength(19)
  expect(await everything()).toEqual(before)
})

test('a failure in the middle leaves nothing', async () => {
  const owner = new pg.Client({ connectionString: clone.ownerUrl })
  await owner.connect()
  // The last thing that is written.
  await owner.query(
    `create function break() returns trigger language plpgsql as $$ begin raise exception 'broken'; end $$`,
  )
  await owner.query(
    'create trigger broken before insert on license_revision for each statement execute function break()',
  )
  const before = await everything()
  await expect(apply(sampleTree)).rejects.toThrow('broken')
  expect(await everything()).toEqual(before)
  await owner.query('drop trigger broken on license_revision')
  await owner.end()
  expect((await apply(sampleTree)).changes).toHaveLength(19)
})

test('a refused tree changes nothing', async () => {
  await apply(sampleTree)
  const before = await everything()
  let tree = withEdit(sampleTree, model, 'stage: owner', 'stage: consumer')
  tree = withEdit(tree, tenant, 'name: Lakeside\n', 'name: Renamed\n')
  const refused = await applyDeclarations(database, declarationsOf(tree), reviewed(now))
  expect(refused.ok ? [] : refused.error).toMatchObject([{ file: model, line: 16 }])
  expect(await everything()).toEqual(before)
})

test('of several that apply at once, one writes and the others find nothing to do', async () => {
  const plans = await Promise.all([1, 2, 3, 4].map(() => apply(sampleTree)))
  expect(plans.map(({ changes }) => changes.length).toSorted((a, b) => a - b)).toEqual([0, 0, 0, 19])
  expect(await rows('select license, revision from license_revision order by license')).toEqual([
    { license: 'LIC-1', revision: 1 },
    { license: 'LIC-2', revision: 1 },
  ])
})

test('an amendment is appended, and the revision before it stays as it was', async () => {
  await apply(sampleTree)
  const first = await rows('select * from license_revision order by license')
  const later = plusDays(now, 1)
  await apply(withEdit(sampleTree, license, 'limit: 50000000', 'limit: 80000000'), later)
  expect(await rows('select * from license_revision where revision = 1 order by license')).toEqual(first)
  expect(
    await rows(
      `select license, effective_at, terms->'budgets'->0->'limit' as "limit" from license_revision where revision = 2`,
    ),
  ).toEqual([{ license: 'LIC-2', effective_at: new Date(later), limit: 80_000_000 }])
  await apply(withEdit(sampleTree, 'plans/standard.yaml', '"15.00"', '"16.00"'), plusDays(now, 2))
  expect(await rows('select plan, revision from plan_revision order by revision')).toEqual([
    { plan: 'standard', revision: 1 },
    { plan: 'standard', revision: 2 },
  ])
  // The amendment was taken back, which is an amendment.
  expect(await rows(`select count(*) from license_revision where license = 'LIC-2'`)).toEqual([{ count: 3n }])
})

test('what left the tree is ended, never deleted, and returns as itself', async () => {
  await apply(sampleTree)
  const [before] = await rows(`select tenant_id from tenant where tenant = 'lakeside'`)
  let smaller = withoutFiles(sampleTree, 'lakeside/')
  smaller = withoutFiles(smaller, 'models/reader.yaml')
  smaller = withEdit(smaller, model, 'name: east\n', 'name: far-east\n')
  await apply(smaller)
  const ended = { ended_at: new Date(now) }
  expect(await rows(`select ended_at from tenant where tenant = 'lakeside'`)).toEqual([ended])
  expect(await rows(`select withdrawn_at from model where model = 'reader'`)).toEqual([{ withdrawn_at: new Date(now) }])
  expect(await rows(`select withdrawn_at from deployment where deployment = 'east' and version = '1.0.0'`)).toEqual([
    { withdrawn_at: new Date(now) },
  ])
  await apply(sampleTree)
  expect(await rows(`select tenant_id, ended_at from tenant where tenant = 'lakeside'`)).toEqual([
    { ...before, ended_at: null },
  ])
  expect(await rows('select 1 from model where withdrawn_at is not null')).toEqual([])
})

test('a facility and an application that left the tree are ended', async () => {
  await apply(sampleTree)
  let tree = withEdit(sampleTree, tenant, '  - { facility: north, name: Lakeside North, region: us-east }\n', '')
  tree = withEdit(tree, tenant, 'facilities: [general, north]', 'facilities: [general]')
  tree = withEdit(tree, tenant, 'application: ehr', 'application: desk')
  await apply(withEdit(tree, license, 'application: ehr', 'application: desk'))
  expect(
    await rows(
      'select facility as name from facility where ended_at is not null union all select application from application where ended_at is not null',
    ),
  ).toEqual([{ name: 'north' }, { name: 'ehr' }])
})

const recalled = (reason: string) =>
  withEdit(sampleTree, model, 'stage: owner', `stage: owner\n    recalled: ${reason}`)

test('the instant of a recall stays when its reason is written anew', async () => {
  await apply(recalled('wrong doses'))
  await apply(recalled('wrong doses in children'), plusDays(now, 3))
  await apply(sampleTree, plusDays(now, 4))
  const versions = await systemTransaction(database, 'administer', (tx) => loadVersions(tx))
  expect(versions.get('assistant@1.1.0')?.standing.recalled).toEqual({ at: now, reason: 'wrong doses in children' })
})

test('any tree, applied over any other, leaves nothing to change', async () => {
  const picks = fc.array(fc.nat({ max: 59 }), { minLength: 120, maxLength: 120 })
  await fc.assert(
    fc.asyncProperty(picks, async (numbers) => {
      let next = 0
      const tree = variedTree((bound) => (numbers[next++ % numbers.length] ?? 0) % bound)
      await apply(tree)
      expect((await apply(tree)).changes).toEqual([])
    }),
    { numRuns: 25 },
  )
})

test('two hundred tenants are applied in a moment', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [
      [
        `clinic-${index}/tenant.yaml`,
        (sampleTree[tenant] ?? '').replace('tenant: lakeside', `tenant: clinic-${index}`),
      ],
      [`clinic-${index}/license.yaml`, (sampleTree[license] ?? '').replace('LIC-2', `LIC-2-${index}`)],
    ]).flat(),
  )
  const declarations = declarationsOf({ ...sampleTree, ...many })
  const start = performance.now()
  const applied = await applyDeclarations(database, declarations, reviewed(now))
  // It takes some 300 ms; the bound only tells one statement per row from one per thousand.
  expect(performance.now() - start).toBeLessThan(5000)
  expect(applied.ok && applied.value.changes.length).toBe(19 + 200 * 5)
  expect(await rows('select count(*) from tenant')).toEqual([{ count: 202n }])
})
