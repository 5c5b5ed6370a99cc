import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { openDatabase, type Database } from '../../db/index.ts'
import { instant } from '../../kernel/index.ts'
import { sampleTree, withEdit, type Tree } from '../../tenants/sample-tree.ts'
import { runTenants } from './tenants.ts'

const now = instant(Date.parse('2026-11-23T12:00:00Z'))
let clone: TestDatabase
let database: Database
let tenantsDir: string

beforeAll(async () => {
  clone = await cloneDatabase()
  database = openDatabase({
    url: clone.appUrl,
    applicationName: 'test',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 2,
    connectTimeoutMs: 5000,
    statementTimeoutMs: 30_000,
  })
})
afterAll(async () => {
  await database.close()
  await clone.drop()
})
beforeEach(async () => {
  tenantsDir = await mkdtemp(join(tmpdir(), 'formulary-tenants-'))
  return () => rm(tenantsDir, { recursive: true, force: true })
})

async function put(tree: Tree): Promise<void> {
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(tenantsDir, path)), { recursive: true })
    await writeFile(join(tenantsDir, path), text)
  }
}

async function run(args: readonly string[], json = false) {
  const out: string[] = []
  const err: string[] = []
  const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) }
  const status = await runTenants(args, { ...io, json, database, tenantsDir, now })
  return { status, out: out.join('\n'), err: err.join('\n') }
}

const tenantsKept = async (): Promise<number> => (await database.systemPool.query('select from tenant')).rowCount ?? 0

const applying = ['apply', '--by', 'ann', '--approved-by', 'bo']

test('it is used with plan or apply, and nothing else', async () => {
  for (const args of [[], ['show'], ['plan', 'apply'], ['apply', '--force'], ['toString']])
    expect(await run(args), args.join(' ')).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringContaining('usage: formulary tenants plan'),
    })
})

test('plan shows and does nothing; apply does it once, and then there is nothing to do', async () => {
  await put(sampleTree)
  const planned = await run(['plan'])
  expect(planned).toMatchObject({ status: 0, err: '' })
  expect(planned.out).toContain('+ tenant lakeside  Lakeside, hospital')
  expect(await tenantsKept()).toBe(0)
  const applied = await run(applying)
  expect(applied.out).toBe(`${planned.out}\nApplied.`)
  expect(await tenantsKept()).toBe(2)
  expect((await run(applying)).out).toBe('No changes: the database says what the tree says.')
})

test('what allows more than before needs a second name, and says what it would allow', async () => {
  await put(sampleTree)
  await run(applying)
  await put(withEdit(sampleTree, 'lakeside/license.yaml', 'graceDays: 14', 'graceDays: 20'))
  for (const args of [['apply'], ['apply', '--by', 'ann', '--approved-by', 'Ann']]) {
    const refused = await run(args)
    expect(refused).toMatchObject({ status: 1, out: '' })
    expect(refused.err).toMatch(
      /license\.yaml:1:10 {2}LIC-2 would allow more than now: 20 days of grace instead of 14\n/,
    )
    expect(refused.err).toContain('formulary tenants apply --approved-by NAME')
  }
  expect((await run(['plan'])).out).toContain('> LIC-2  20 days of grace instead of 14')
  await put(withEdit(sampleTree, 'lakeside/license.yaml', 'graceDays: 14', 'graceDays: 7'))
  expect(await run(['apply', '--by', 'ann'])).toMatchObject({ status: 0, err: '' })
})

test('--json is names and fields, and no row of the database', async () => {
  await put(sampleTree)
  await run(applying)
  await put(withEdit(sampleTree, 'lakeside/tenant.yaml', 'name: Lakeside\n', 'name: Lakeshore\n'))
  const fields = [{ field: 'name', from: 'Lakeside', to: 'Lakeshore' }]
  const changes = [{ what: 'tenant', act: 'change', name: 'lakeside', fields }]
  expect(JSON.parse((await run(['plan'], true)).out)).toEqual({ applied: false, changes, notes: [], widening: [] })
  expect(JSON.parse((await run(applying, true)).out)).toEqual({ applied: true, changes, notes: [], widening: [] })
  expect(JSON.parse((await run(applying, true)).out)).toEqual({ applied: true, changes: [], notes: [], widening: [] })
})

test('problems are told as file, line and column, then what to write', async () => {
  await put(withEdit(sampleTree, 'lakeside/license.yaml', 'plan: standard', 'plan: standart'))
  const refused = await run(applying)
  expect(refused).toEqual({
    status: 1,
    out: '',
    err: `${tenantsDir}/lakeside/license.yaml:2:7  there is no plan "standart"
    did you mean standard? Otherwise declare it in plans/standart.yaml
1 problem; nothing was changed.`,
  })
  expect(JSON.parse((await run(['plan'], true)).out)).toEqual({
    applied: false,
    problems: [
      {
        file: `${tenantsDir}/lakeside/license.yaml`,
        line: 2,
        column: 7,
        path: 'plan',
        message: 'there is no plan "standart"',
        advice: 'did you mean standard? Otherwise declare it in plans/standart.yaml',
      },
    ],
  })
})
