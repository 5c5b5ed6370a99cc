import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../src/db/index.ts'
import { requestName } from '../../src/kernel/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { runFormulary } from '../support/run-formulary.ts'
import { declareAt, use } from './month.ts'

let databases: TestDatabase
let database: Database
let folder: string

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  folder = mkdtempSync(join(tmpdir(), 'formulary-reconcile-'))
  await declareAt(database, '2026-09-01T00:00:00Z')
})
afterAll(async () => {
  await database.close()
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

const formulary = (...args: readonly string[]) => runFormulary(databases, args)

const header = 'request_id,at,model,input_units,output_units,status'
const saved = (name: string, lines: readonly string[]): string => {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}
const imported = (path: string) => formulary('host-usage', 'import', path, '--deployment', 'east', '--month', '2026-09')

test('a month with a host’s report: what agrees is counted, what does not has its class', async () => {
  const [same = '', more = '', alone = ''] = await use(database, [
    { at: '2026-09-05T00:00:00Z', input: 100, output: 10 },
    { at: '2026-09-06T00:00:00Z', input: 200, output: 20 },
    { at: '2026-09-07T00:00:00Z', input: 300, output: 30 },
  ])
  const line = (id: string, day: string, input: number, output: number) =>
    `${id},2026-09-${day}T00:00:00.005Z,scribe-1,${input},${output},200`
  const path = saved('september.csv', [
    header,
    line(requestName(same), '05', 100, 10),
    line(requestName(more), '06', 250, 20),
    line('req_0190a0e0000070008000000000000001', '08', 7, 7),
    line('chatcmpl-of-somebody', '09', 5, 5),
  ])
  expect(await formulary('reconcile', 'run', '--month', '2026-09')).toMatchObject({
    status: 1,
    err: expect.stringContaining('nothing is there to compare 2026-09 with'),
  })
  expect(await imported(path)).toMatchObject({ status: 0, err: '' })
  expect((await imported(path)).out).toContain('stands already')
  const ran = await formulary('reconcile', 'run', '--month', '2026-09', '--json')
  expect(ran).toMatchObject({ status: 0, err: '' })
  expect(JSON.parse(ran.out)).toMatchObject({
    classes: { quantity_differs: 1, missing_at_host: 1, missing_in_ledger: 2 },
    calls: { agreed: { calls: '1', input: '100' }, ours: { input: '600' }, theirs: { lines: '4', input: '362' } },
  })
  const found = JSON.parse((await formulary('reconcile', 'exceptions', '--month', '2026-09', '--json')).out)
  expect(found).toContainEqual(
    expect.objectContaining({
      class: 'quantity_differs',
      tenant: 'lakeside',
      subject: `call/${more}`,
      units: { ours: '220', theirs: '270' },
      picos: { ours: '900000000', theirs: '1050000000' },
      currency: 'USD',
    }),
  )
  expect(found).toContainEqual(expect.objectContaining({ class: 'missing_at_host', subject: `call/${alone}` }))
  expect(found).toContainEqual(expect.objectContaining({ class: 'missing_in_ledger', tenant: null }))
})

test('a report with a bad line is refused whole, each line with what to write instead', async () => {
  const bad = saved('bad.csv', [
    header,
    'req_0190a0e0000070008000000000000001,2026-09-05,scribe-1,1,1,200',
    'req_0190a0e0000070008000000000000001,2026-09-05T00:00:00Z,scribe-1,1,-1,200',
    'req_0190a0e0000070008000000000000001,2026-09-05T00:00:00Z,scribe-1,1,1,200,more',
  ])
  const { status, err } = await imported(bad)
  expect(status).toBe(1)
  expect(
    err
      .trimEnd()
      .split('\n')
      .map((text) => text.trim()),
  ).toEqual([
    'formulary: nothing was imported',
    'line 2: at is "2026-09-05": write an instant with its zone, such as 2026-10-31T23:59:59.123Z',
    'line 3: output_units is "-1": write a whole number of tokens or inferences of at most fifteen digits, 0 for none',
    'line 4: it has 7 cells: write 6, as the header has',
  ])
  const { rows } = await database.systemPool.query<{ n: bigint }>('select count(*) as n from host_report')
  expect(rows).toEqual([{ n: 1n }])
})
