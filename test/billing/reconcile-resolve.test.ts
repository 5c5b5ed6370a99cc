import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../../src/db/index.ts'
import { requestName } from '../../src/kernel/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { runFormulary } from '../support/run-formulary.ts'
import { declareAt, use } from './month.ts'

let databases: TestDatabase
let database: Database
let folder: string

beforeEach(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  folder = mkdtempSync(join(tmpdir(), 'formulary-resolve-'))
  await declareAt(database, '2026-09-01T00:00:00Z')
})
afterEach(async () => {
  await database.close()
  await databases.drop()
  rmSync(folder, { recursive: true, force: true })
})

const formulary = (...args: readonly string[]) => runFormulary(databases, args)
const done = async (...args: readonly string[]): Promise<string> => {
  const { status, out, err } = await formulary(...args)
  if (status !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`)
  return out
}
const september = ['--month', '2026-09'] as const

/** Imports what the host counted, and reconciles. Returns the classes that the run found. */
async function reconcile(lines: readonly (readonly [request: string, input: number, output: number])[]) {
  const path = join(folder, 'september.jsonl')
  const objects = lines.map(([request, input_units, output_units]) => ({
    request_id: request,
    at: '2026-09-05T00:00:00.003Z',
    model: 'scribe-1',
    input_units,
    output_units,
    status: 200,
  }))
  writeFileSync(path, objects.map((object) => `${JSON.stringify(object)}\n`).join(''))
  await done('host-usage', 'import', path, '--deployment', 'east', ...september)
  return run()
}
const Ran = z.looseObject({ classes: z.record(z.string(), z.number()), matched: z.number() })
const run = async () => Ran.parse(JSON.parse(await done('reconcile', 'run', ...september, '--json')))

const Exceptions = z.array(
  z.looseObject({
    exception: z.string(),
    class: z.string(),
    state: z.string(),
    subject: z.string(),
    correction: z.unknown(),
  }),
)
const exceptions = async () =>
  Exceptions.parse(JSON.parse(await done('reconcile', 'exceptions', ...september, '--json')))
const exceptionOf = async (name: string): Promise<string> => {
  const found = (await exceptions()).find((one) => one.class === name && one.state === 'open')
  if (found === undefined) throw new Error(`no open ${name}`)
  return found.exception
}
const correct = async (name: string) =>
  formulary('reconcile', 'resolve', await exceptionOf(name), '--as', 'corrected', '--reason', 'as the host counts')

const sums = async () => {
  const { rows } = await database.systemPool.query<Record<string, string>>(
    `select sum(requests)::text as requests, sum(input_tokens)::text as input, sum(output_tokens)::text as output,
       sum(charge_picos)::text as charge from usage_hour`,
  )
  return rows[0]
}
const total = async (invoice: string) =>
  z.object({ total: z.string() }).parse(JSON.parse(await done('invoice', 'show', invoice, '--json'))).total

const at = '2026-09-05T00:00:00Z'

test('a call whose process died is charged what the host counted, by opposite rows and never by an edit', async () => {
  const [lost = ''] = await use(database, [{ at, input: 4096, output: 1024, outcome: 'expired' }])
  expect((await reconcile([[requestName(lost), 1000, 100]])).classes).toEqual({ quantity_differs: 1 })
  expect(await correct('quantity_differs')).toMatchObject({ status: 0, err: '' })
  expect(await sums()).toMatchObject({ requests: '1', input: '1000', output: '100' })
  const { rows } = await database.systemPool.query(
    `select attempt, outcome, requests, input_tokens::text as input, corrects_attempt from usage_event order by attempt`,
  )
  expect(rows).toEqual([
    { attempt: 1, outcome: 'expired', requests: 1, input: '4096', corrects_attempt: null },
    { attempt: 1000, outcome: 'expired', requests: -1, input: '-4096', corrects_attempt: 1 },
    { attempt: 1001, outcome: 'corrected', requests: 1, input: '1000', corrects_attempt: 1 },
  ])
  expect((await run()).classes).toEqual({})
  // Nothing is left to be explained, and the invoice has what the host counted: 1,000 × $3 and 100 × $15 a million.
  await done('period', 'close', 'LIC-LAKESIDE', ...september, '--by', 'Ada')
  const document = JSON.parse(await done('invoice', 'show', 'INV-000001', '--json'))
  expect(document.lines.map(({ unrounded }: { unrounded: string }) => unrounded)).toEqual(['0.003', '0.0015'])
  const exported = await done('usage', 'export', 'LIC-LAKESIDE', ...september)
  expect(exported.trimEnd().split('\n')).toHaveLength(4)
})

test('a call whose end nobody knows costs nothing when its month is closed all the same', async () => {
  await use(database, [
    { at, input: 4_000_000, outcome: 'expired' },
    { at, input: 1_000_000 },
  ])
  await done('period', 'close', 'LIC-LAKESIDE', ...september, '--explain', 'calls-known=the host has no log')
  expect(await total('INV-000001')).toBe('3.00')
})

test('a month waits for its reconciliation from the first imported report on', async () => {
  const [one = '', other = ''] = await use(database, [
    { at, input: 1_000_000, output: 10 },
    { at, input: 2_000_000, output: 10 },
  ])
  const close = () => formulary('period', 'close', 'LIC-LAKESIDE', ...september)
  const path = join(folder, 'empty.csv')
  writeFileSync(path, 'request_id,at,model,input_units,output_units,status\n')
  await done('host-usage', 'import', path, '--deployment', 'east', ...september)
  expect((await close()).err).toContain('reconciled: 0 differences not worked off, no run yet')
  await run()
  expect((await close()).err).toContain('reconciled: 2 differences not worked off')
  await reconcile([[requestName(one), 1_000_000, 10]])
  // The same report once more is nothing new; another one is.
  writeFileSync(path, 'request_id,at,model,input_units,output_units,status\n\n')
  await done('host-usage', 'import', path, '--deployment', 'east', ...september)
  expect((await close()).err).toContain('a report that came after the last run')
  expect((await reconcile([[requestName(one), 1_000_000, 10]])).classes).toEqual({ missing_at_host: 1 })
  expect(Object.fromEntries((await exceptions()).map(({ state, subject }) => [subject, state]))).toEqual({
    [`call/${one}`]: 'matched',
    [`call/${other}`]: 'open',
  })
  expect(await correct('missing_at_host')).toMatchObject({ status: 0 })
  expect(await sums()).toMatchObject({ requests: '1', input: '1000000', charge: '3000150000000' })
  expect(await close()).toMatchObject({ status: 0, err: '' })
  expect(await total('INV-000001')).toBe('3.00')
})

test('what is corrected after the close is a correction of the next month', async () => {
  const [one = ''] = await use(database, [{ at, input: 3_000_000 }])
  await done('period', 'close', 'LIC-LAKESIDE', ...september)
  expect(await total('INV-000001')).toBe('9.00')
  expect((await reconcile([[requestName(one), 1_000_000, 0]])).classes).toEqual({ quantity_differs: 1 })
  await correct('quantity_differs')
  // The month's own books stand as they were frozen; what came late counts in the next one.
  expect((await run()).classes).toEqual({ quantity_differs: 1 })
  const october = ['--month', '2026-10'] as const
  const closed = await formulary(
    'period',
    'close',
    'LIC-LAKESIDE',
    ...october,
    '--explain',
    'reconciled=no report of October yet',
  )
  expect(closed).toMatchObject({ status: 0, err: '' })
  expect(await total('INV-000002')).toBe('-6.00')
})

test('what is not for the ledger is accepted by two people with a reason, and stays so in the next run', async () => {
  expect((await reconcile([['req_0190a0e0000070008000000000000001', 5, 5]])).classes).toEqual({ missing_in_ledger: 1 })
  const exception = await exceptionOf('missing_in_ledger')
  const accept = (...more: readonly string[]) =>
    formulary('reconcile', 'resolve', exception, '--as', 'accepted', ...more)
  expect((await correct('missing_in_ledger')).err).toContain('is not corrected in the ledger')
  expect((await accept()).err).toContain('say why')
  expect((await accept('--reason', 'a probe of the host’s own')).err).toContain('two people accept a difference')
  expect((await accept('--reason', 'x', '--by', 'Ada', '--approved-by', 'ada')).err).toContain('two people')
  expect(await accept('--reason', 'a probe of the host’s own', '--by', 'Ada', '--approved-by', 'Ben')).toMatchObject({
    status: 0,
  })
  expect((await accept('--reason', 'again', '--by', 'Ada', '--approved-by', 'Ben')).err).toContain(
    'is accepted already',
  )
  await run()
  expect((await exceptions()).map(({ state }) => state)).toEqual(['accepted'])
  const { rows } = await database.systemPool.query(
    `select agent_name, approved_by, reason from audit_entry where action = 'reconciliation.accept'`,
  )
  expect(rows).toEqual([{ agent_name: 'Ada', approved_by: 'Ben', reason: 'a probe of the host’s own' }])
})

test('a call that is counted twice and a price that is not the list’s are corrected to what was served once', async () => {
  const [twice = '', dear = ''] = await use(database, [
    { at, input: 100, output: 10 },
    { at, input: 200, output: 20 },
  ])
  await database.systemPool.query(
    `insert into usage_event select tenant_id, started_at, request_id, 2, settled_at, operation, streamed, outcome, host_status,
       first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose, model, version,
       deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency,
       charge_picos, instance_id from usage_event where request_id = $1`,
    [twice],
  )
  const [charged = ''] = await use(database, [{ at, input: 7, output: 7, planRevision: 1 }])
  await database.systemPool.query(
    `insert into usage_event select tenant_id, started_at, gen_random_uuid(), 1, settled_at, operation, streamed, outcome,
       host_status, first_byte_ms, duration_ms, license, license_revision, facility, application, key_id, audience, purpose,
       model, version, deployment, region, requests, input_tokens, output_tokens, inferences, usage_source, plan,
       plan_revision, currency, charge_picos + 5, instance_id from usage_event where request_id = $1`,
    [dear],
  )
  const { rows } = await database.systemPool.query<{ request_id: string }>(
    `select request_id from usage_event where request_id not in ($1, $2, $3)`,
    [twice, dear, charged],
  )
  const wrong = rows[0]?.request_id ?? ''
  const ran = await reconcile([
    [requestName(twice), 100, 10],
    [requestName(dear), 200, 20],
    [requestName(charged), 7, 7],
    [requestName(wrong), 200, 20],
  ])
  expect(ran.classes).toEqual({ duplicate: 1, rate_differs: 1 })
  expect(await correct('duplicate')).toMatchObject({ status: 0, err: '' })
  expect(await correct('rate_differs')).toMatchObject({ status: 0, err: '' })
  expect((await run()).classes).toEqual({})
  const price = (input: number, output: number) => input * 3_000_000 + output * 15_000_000
  expect(await sums()).toEqual({
    requests: '4',
    input: '507',
    output: '57',
    charge: String(price(100, 10) + 2 * price(200, 20) + price(7, 7)),
  })
})

test('the report says what agrees and what does not, as text, JSON, CSV and a page', async () => {
  expect((await formulary('reconcile', 'show', ...september)).err).toContain('2026-09 was never reconciled')
  const [one = ''] = await use(database, [{ at, input: 100, output: 10 }])
  await reconcile([
    [requestName(one), 101, 10],
    ['<script>alert(1)</script>', 5, 5],
  ])
  expect(await done('reconcile', 'show', ...september)).toContain('The two sides count other units.')
  expect(JSON.parse(await done('reconcile', 'show', ...september, '--json'))).toMatchObject({
    counts: [
      { class: 'missing_in_ledger', state: 'open', count: 1 },
      { class: 'quantity_differs', state: 'open', count: 1 },
    ],
  })
  const csv = await done('reconcile', 'show', ...september, '--format', 'csv')
  expect(csv.split('\n').filter((line) => line !== '')).toHaveLength(3)
  expect(csv).toContain(`call/${one}`)
  const page = await done('reconcile', 'show', ...september, '--format', 'html')
  expect(page).toContain('2 differences are open.')
  expect(page).toContain('nobody knows')
  expect(page).not.toMatch(/<script|https?:\/\//)
})
