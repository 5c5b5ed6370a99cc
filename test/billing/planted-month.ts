import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { openStripeSimulator, type StripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import {
  closePeriod,
  importHostUsage,
  monthAfter,
  openStripeClient,
  pushInvoices,
  stripeBooks,
  stripeSink,
  type DifferenceClass,
  type Period,
  type StripeBooks,
} from '../../src/billing/index.ts'
import { writeReports } from '../../src/billing/store-stripe.ts'
import type { Database } from '../../src/db/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant, plusDays, plusMs, requestName } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { tester } from '../support/house.ts'
import { seeded } from '../support/seeded.ts'
import { declareAt, month } from './month.ts'
import { plantCalls, type LedgerCall, type PlantedCalls } from './plant-calls.ts'

/** A difference that was planted: its class, and how many rows of either side must stand with it. */
export interface Expected {
  readonly class: DifferenceClass
  readonly ledger?: number
  readonly host?: number
}

export interface PlantedMonth {
  readonly period: Period
  /** By the subject of the exception that must be found. */
  readonly expected: ReadonlyMap<string, Expected>
  /** Stripe as the simulator has it, read by the SDK. */
  readonly stripe: StripeBooks
  /** Brings both reports in. Returns the lines of the month's. */
  importReports(): Promise<number>
}

const september = month('2026-09')
const october = monthAfter(september)

/**
 * A month of so many calls in an empty database, as the ledger, the host and Stripe would have it if nothing ever went wrong,
 * and then of each kind of fault so many, each on a call, an hour or a line of its own. Nothing of what compares is used to
 * make it.
 */
export async function plantMonth(
  database: Database,
  options: { calls: number; faultsPerKind: number; seed: number; folder: string },
): Promise<PlantedMonth> {
  const { calls, faultsPerKind, seed, folder } = options
  const random = seeded(seed)
  await declareAt(database, '2026-08-01T00:00:00Z', {
    'plans/standard.yaml': (text) => `${text}  - { meter: facility, per: month, amount: "310.00" }\n`,
  })
  await fillCalls(database, calls)
  const planted = plantCalls({ period: september, faultsPerKind, random })
  await insertCalls(database, planted.ledger)
  const invoices = await closeSmallOnes(database)
  await insertCalls(database, planted.late)
  const expected = new Map<string, Expected>(planted.expected)
  const paths = [join(folder, `september-${seed}.csv`), join(folder, `october-${seed}.jsonl`)] as const
  await writeSeptember(database, paths[0], { planted, expected })
  await writeOctober(paths[1], planted)
  const simulator = openStripeSimulator({ now: october.start / 1000 + 3 * 86_400 })
  const stripe = await plantStripe(database, { simulator, invoices, random, faultsPerKind, expected })
  return {
    period: september,
    expected,
    stripe,
    async importReports() {
      const importing = (path: string, format: 'csv' | 'json', period: Period) =>
        importHostUsage(
          { database, startSha256: nodeSha256 },
          {
            deployment: 'east',
            period,
            format,
            open: () => createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>,
            actor: tester,
            now: plusDays(october.start, 1),
          },
        )
      const [first, second] = [await importing(paths[0], 'csv', september), await importing(paths[1], 'json', october)]
      if (!first.ok || !second.ok) throw new Error(JSON.stringify([first, second]))
      return first.value.lines
    },
  }
}

/** Calls of which nothing is wrong: whole ones and streams, predictors, callers who left, and second attempts. */
async function fillCalls(database: Database, calls: number): Promise<void> {
  const stepMs = Math.floor((september.end - september.start - 7_200_000) / calls)
  await database.systemPool.query(fillText, [
    calls,
    new Date(september.start),
    stepMs,
    Math.max(10, Math.floor(calls / 1000)),
  ])
  await database.systemPool.query(firstAttemptsText)
}

const columns = `tenant_id, started_at, request_id, attempt, operation, streamed, outcome, duration_ms, license,
  license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region, requests,
  input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos, instance_id, ends_call`

const fillText = `
insert into usage_event (${columns})
select l.tenant_id, at, gen_random_uuid(), case when n % 97 = 7 then 2 else 1 end,
  case when infers then 'infer' else 'chat' end, n % 2 = 0, case when n % 23 = 5 and not infers then 'client_left' else 'answered' end,
  200 + n % 300, l.license, 1, l.facility, 'ehr', 'filled', 'clinician', 'TREAT',
  case when infers then 'ecg-low-ef' else 'scribe' end, case when infers then '3.0.0' when n % 11 = 4 then '1.1.0' else '1.0.0' end,
  'east', 'us-east', 1, input, output, case when infers then 1 else 0 end, 'host', 'standard', 1, 'USD',
  case when infers then 500000000000 else input * 3000000 + output * 15000000 end, l.tenant_id, true
from generate_series(0, $1::bigint - 1) as n
cross join lateral (select $2::timestamptz + interval '1 hour' + n * $3::bigint * interval '1 millisecond' as at,
  n % 17 = 3 as infers) as t
cross join lateral (select case when infers then 0 else 500 + n % 97 end as input,
  case when infers then 0 else 200 + n % 13 end as output) as u
join (values ('LIC-LAKESIDE', 'general', 0), ('LIC-PRAIRIE', 'only', 1), ('LIC-OWNER', 'main', 2)) as w (license, facility, share)
  on w.share = case n % $4::bigint when 1 then 1 when 2 then 2 else 0 end
join (select tenant_id, license from license) as lic on lic.license = w.license
cross join lateral (select lic.tenant_id, lic.license, w.facility) as l`

const firstAttemptsText = `
insert into usage_event (${columns})
select tenant_id, started_at, request_id, 1, operation, streamed, 'host_error', 5, license, license_revision, facility,
  application, key_id, audience, purpose, model, version, deployment, region, 0, 0, 0, 0, 'none', plan, plan_revision, currency,
  0, instance_id, false
from usage_event where attempt = 2`

async function insertCalls(database: Database, calls: readonly LedgerCall[]): Promise<void> {
  await database.systemPool.query(
    `insert into usage_event (${columns})
     select l.tenant_id, r.started_at, request_id, attempt, 'chat', true, outcome, 400, l.license, 1, 'general', 'ehr', 'planted',
       'clinician', 'TREAT', 'scribe', '1.0.0', 'east', 'us-east', requests, input, output, 0, 'host', 'standard', 1, 'USD',
       charge, l.tenant_id, requests = 1
     from json_to_recordset($1) as r (license text, started_at timestamptz, request_id uuid, attempt smallint, outcome text,
       requests smallint, input bigint, output bigint, charge bigint)
     join license l on l.license = r.license`,
    [JSON.stringify(calls)],
  )
}

/** Two tenants get their invoices; what comes for them afterwards is late. */
async function closeSmallOnes(database: Database): Promise<readonly string[]> {
  const numbers: string[] = []
  for (const license of ['LIC-PRAIRIE', 'LIC-OWNER'])
    for (const period of [month('2026-08'), september]) {
      const wish = { license, period, reasons: new Map(), actor: tester, now: plusDays(october.start, 1) }
      const closed = await closePeriod({ database, startSha256: nodeSha256 }, wish)
      if (!closed.ok) throw new Error(JSON.stringify(closed.error))
      if (period === september && closed.value.invoice !== undefined) numbers.push(closed.value.invoice)
    }
  return numbers
}

/** The host's report: what it served of the month, and what the faults make of it. */
async function writeSeptember(
  database: Database,
  path: string,
  of: { planted: PlantedCalls; expected: Map<string, Expected> },
): Promise<void> {
  const file = createWriteStream(path)
  const write = async (text: string) => {
    if (!file.write(text)) await once(file, 'drain')
  }
  await write('request_id,at,model,version,input_units,output_units,status,attempt,tenant\n')
  let line = 1
  const client = await database.systemPool.connect()
  try {
    await client.query('begin')
    await client.query(`declare served no scroll cursor for
      select e.request_id, to_char((e.started_at + e.duration_ms * interval '1 millisecond') at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, case when e.version = '1.1.0' then 'scribe-1-1'
          when e.model = 'scribe' then 'scribe-1' else e.model end as model, e.version,
        e.input_tokens + e.inferences as input, e.output_tokens as output, e.attempt, e.requests, t.tenant
      from usage_event e join tenant t using (tenant_id) where e.key_id = 'filled' order by e.request_id, e.attempt`)
    for (;;) {
      const { rows } = await client.query<Served>('fetch 20000 from served')
      let text = ''
      for (const row of rows) {
        line++
        const [version, tenant] = [line % 2 === 0 ? row.version : '', line % 3 === 0 ? row.tenant : '']
        const status = row.requests === 1 ? 200 : 503
        text += `${requestName(row.request_id)},${row.at},${row.model},${version},${row.input},${row.output},${status},${row.attempt},${tenant}\n`
      }
      if (text === '') break
      await write(text)
    }
    await client.query('commit')
  } finally {
    client.release()
  }
  for (const one of of.planted.host) {
    line++
    // A call under an id of nobody's is known by where it stands.
    if (!one.request.startsWith('req_')) of.expected.set(`call/east/${line}`, { class: 'missing_in_ledger', host: 1 })
    await write(`${one.request},${one.at},${one.model},${one.version},${one.input},${one.output},200,1,${one.tenant}\n`)
  }
  file.end()
  await once(file, 'close')
}

interface Served {
  readonly request_id: string
  readonly at: string
  readonly model: string
  readonly version: string
  readonly input: bigint
  readonly output: bigint
  readonly attempt: number
  readonly requests: number
  readonly tenant: string
}

/** The next month's report, as JSON: it holds what the host counted a month too late. */
async function writeOctober(path: string, { hostNext }: PlantedCalls): Promise<void> {
  const file = createWriteStream(path)
  for (const one of hostNext)
    file.write(
      `${JSON.stringify({ request_id: one.request, at: one.at, model: one.model, input_units: one.input, output_units: one.output, status: 200 })}\n`,
    )
  file.end()
  await once(file, 'close')
}

async function plantStripe(
  database: Database,
  of: {
    simulator: StripeSimulator
    invoices: readonly string[]
    random: () => number
    faultsPerKind: number
    expected: Map<string, Expected>
  },
): Promise<StripeBooks> {
  const { simulator, invoices, expected } = of
  const client = openStripeClient({
    secretKey: 'sk_test_simulated',
    apiBase: 'http://stripe.test',
    fetch: (input, init) => simulator.fetch(new Request(input, init)),
  })
  const sink = stripeSink(client)
  const now = instant(simulator.account.now * 1000)
  const inSystem = <T>(work: Parameters<typeof systemTransaction<T>>[2]) =>
    systemTransaction(database, 'sync-billing', work)
  await inSystem((tx) => writeReports(tx, now))
  const { systemPool: pool } = database
  await pool.query(`update stripe_usage set state = 'confirmed', sent_at = $1, ended_at = $1`, [new Date(now)])
  const tenants = await pool.query<{ tenant_id: string; name: string }>(
    `select distinct t.tenant_id, t.name from stripe_usage u join tenant t using (tenant_id)`,
  )
  const customers = new Map<string, string>()
  for (const { tenant_id: tenantId, name } of tenants.rows) {
    const customer = await sink.ensureCustomer({ tenantId, name })
    customers.set(tenantId, customer)
    await pool.query(`insert into stripe_customer values ($1, $2, $3) on conflict do nothing`, [
      tenantId,
      customer,
      new Date(now),
    ])
  }
  const meters = new Map<string, string>()
  const named = await pool.query<{ meter: string }>('select distinct meter from stripe_usage')
  for (const { meter } of named.rows) {
    const meterId = await sink.ensureMeter(`formulary.${meter}`)
    meters.set(meter, meterId)
    await pool.query(`insert into stripe_meter values ($1, $2, $3)`, [meter, meterId, new Date(now)])
  }
  await plantHours(database, { ...of, customers, meters })
  const log = { info() {}, warn() {}, error() {} }
  await pushInvoices({ database, sink, log, holder: randomUUID(), now: () => now })
  if (of.faultsPerKind > 0)
    for (const [index, number] of invoices.entries()) spoilInvoice({ simulator, number, index, expected })
  return stripeBooks(client)
}

interface Hour {
  readonly tenant_id: string
  readonly meter: string
  readonly hour: Date
  readonly quantity: bigint
}

/** Stripe's own events, one per hour that we reported, and so many hours of each kind of fault. */
async function plantHours(
  database: Database,
  of: {
    simulator: StripeSimulator
    random: () => number
    faultsPerKind: number
    expected: Map<string, Expected>
    customers: ReadonlyMap<string, string>
    meters: ReadonlyMap<string, string>
  },
): Promise<void> {
  const { simulator, random, faultsPerKind, expected, customers, meters } = of
  const { systemPool: pool } = database
  const { rows } = await pool.query<Hour>(
    `select tenant_id, meter, hour, quantity from stripe_usage where hour >= $1 and hour < $2 order by 1, 2, 3`,
    [new Date(september.start), new Date(september.end)],
  )
  const count = ({ tenant_id, meter, hour }: Omit<Hour, 'quantity'>, value: bigint) =>
    void simulator.account.usage.push({
      identifier: randomUUID(),
      meter: meters.get(meter) ?? '',
      customer: customers.get(tenant_id) ?? '',
      value,
      timestamp: hour.getTime() / 1000,
      receivedAt: simulator.account.now,
      visibleAt: simulator.account.now,
      isCanceled: false,
    })
  const kinds = ['stripe_rejected', 'stripe_stale', 'stripe_overwritten'] as const
  const faulty = new Map<number, (typeof kinds)[number]>()
  for (const kind of kinds)
    for (let left = Math.min(faultsPerKind, Math.floor(rows.length / 8)); left > 0;) {
      const at = Math.floor(random() * rows.length)
      if (faulty.has(at)) continue
      faulty.set(at, kind)
      left--
    }
  for (const [at, row] of rows.entries()) {
    const kind = faulty.get(at)
    const key = [row.tenant_id, row.meter, row.hour]
    const setState = (state: string) =>
      pool.query(`update stripe_usage set state = $4 where tenant_id = $1 and meter = $2 and hour = $3`, [
        ...key,
        state,
      ])
    if (kind === undefined) count(row, row.quantity)
    else expected.set(`hour/${row.tenant_id}/${row.meter}/${row.hour.toISOString()}`, { class: kind })
    if (kind === 'stripe_rejected') await setState(at % 2 === 0 ? 'refused' : 'too_late')
    if (kind === 'stripe_overwritten') count(row, row.quantity + 7n)
    if (kind !== 'stripe_stale') continue
    await setState('sent')
    if (at % 2 === 0 || row.quantity < 2n) continue
    // An older total of ours stands there still.
    await pool.query(
      `with older as (
         update stripe_usage set state = 'superseded', quantity = quantity - 1 where tenant_id = $1 and meter = $2 and hour = $3
         returning tenant_id, meter, hour, quantity)
       insert into stripe_usage (tenant_id, meter, hour, revision, quantity, state, written_at)
       select tenant_id, meter, hour, 2, quantity + 1, 'sent', now() from older`,
      key,
    )
    count(row, row.quantity - 1n)
  }
  // By hand: an hour in which nothing was used, and of which we never spoke.
  const known = new Set(rows.map((row) => `${row.tenant_id} ${row.meter} ${row.hour.getTime()}`))
  const [tenantId = ''] = customers.keys()
  const [meter = ''] = meters.keys()
  for (
    let left = faultsPerKind, hour = september.start;
    left > 0 && hour < september.end;
    hour = plusMs(hour, 3_600_000)
  ) {
    if (known.has(`${tenantId} ${meter} ${hour}`)) continue
    count({ tenant_id: tenantId, meter, hour: new Date(hour) }, 99n)
    expected.set(`hour/${tenantId}/${meter}/${new Date(hour).toISOString()}`, { class: 'manual' })
    left--
  }
}

/** An invoice of ours at Stripe, and what somebody did to its lines there. */
function spoilInvoice(of: {
  simulator: StripeSimulator
  number: string
  index: number
  expected: Map<string, Expected>
}): void {
  const { simulator, number, index, expected } = of
  const invoice = [...simulator.account.invoices.values()].find(
    ({ metadata, status }) => metadata['formulary_invoice'] === number && status !== 'draft',
  )
  const held = invoice?.held ?? []
  const spoil = (line: number, cents: number, ofClass: DifferenceClass) => {
    const found = held.find(({ metadata }) => metadata['formulary_line'] === String(line))
    if (found === undefined) throw new Error(`${number} has no line ${line} at Stripe`)
    found.amount += cents
    expected.set(`line/${number}/${line}`, { class: ofClass })
  }
  spoil(1, index % 2 === 0 ? 1 : -1, 'rounding')
  spoil(2, index % 2 === 0 ? 500 : -2, 'rate_differs')
  const [like] = held
  if (like === undefined) throw new Error(`${number} has no lines at Stripe`)
  held.push({ ...like, id: `il_by_hand_${index}`, amount: 1234, metadata: {} })
  expected.set(`line/${number}/il_by_hand_${index}`, { class: 'manual' })
}
