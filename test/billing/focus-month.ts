import { randomUUID } from 'node:crypto'
import { closePeriod, creditInvoice, exportFocus, type FocusFormat, type Tax } from '../../src/billing/index.ts'
import { datasets, type Dataset } from '../../src/billing/focus/columns.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { instant, picos } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { applyDeclarations, readDeclarations } from '../../src/tenants/index.ts'
import { treeFor } from '../support/declarations.ts'
import { reviewed, tester } from '../support/house.ts'
import { seeded } from '../support/seeded.ts'
import { month } from './month.ts'

/** Everything that a plan can say, in one; in euros another one with evaluations and days of grace. */
const standard = `plan: standard
currency: USD
commitment: "9000.00"
credit: "12000.00"
prices:
  - { meter: input_tokens, per: 1000000, amount: "3.00", included: 4000000, tiers: graduated, steps: [{ from: 20000001, amount: "2.25" }, { from: 40000001, amount: "1.75" }] }
  - { meter: output_tokens, per: 1000000, amount: "15.00" }
  - { meter: requests, per: 100, amount: "0.50", package: true }
  - { meter: inferences, per: 1, amount: "0.50", tiers: volume, steps: [{ from: 300, amount: "0.45" }] }
  - { meter: facility, per: month, amount: "310.55" }
`
const europe = `plan: europe
currency: EUR
grace: { percent: 133 }
credit: "120.00"
prices:
  - { meter: input_tokens, per: 1000000, amount: "2.70" }
  - { meter: output_tokens, per: 1000000, amount: "13.50" }
  - { meter: requests, per: 3, amount: "0.03" }
  - { meter: facility, per: month, amount: "99.99" }
`
const trial = `plan: trial
currency: EUR
evaluation: free
prices:
  - { meter: input_tokens, per: 1000000, amount: "2.70" }
  - { meter: output_tokens, per: 1000000, amount: "13.50", evaluation: "1.35" }
`
const sites = ['general', 'north', 'south', 'east', 'west', 'lake', 'hill', 'harbor']

const tree = [
  ...treeFor('http://127.0.0.1:9', {
    'plans/standard.yaml': () => standard,
    'lakeside/tenant.yaml': (text) =>
      text.replace(
        /facilities:\n(?: {2}- \{ facility.*\n)+/,
        `facilities:\n${sites.map((site) => `  - { facility: ${site}, name: "Lakeside ${site}, ""old"" & new", region: us-east }\n`).join('')}`.replaceAll(
          '""',
          "'",
        ),
      ),
    'clinic/license.yaml': (text) =>
      text
        .replace('plan: standard', 'plan: europe')
        .replace(
          'start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 0',
          'start: 2026-09-01T00:00:00Z, end: 2026-09-13T06:00:00Z, graceDays: 40',
        ),
    'prairie/license.yaml': (text) =>
      text.replace('plan: standard', 'plan: trial').replace('term:', 'evaluation: true\nterm:'),
  }),
  { path: 'plans/europe.yaml', text: europe },
  { path: 'plans/trial.yaml', text: trial },
]

/** Seven percent on what is charged of the month. */
const sevenPercent: Tax = (charges, currency) => {
  const sum = charges.reduce((all, { amount }) => all + amount, 0n)
  const unit = 10_000_000_000n
  return currency === 'USD' ? [{ name: 'Sales tax, 7 %', amount: picos(((sum * 7n) / 100n / unit) * unit) }] : []
}

/**
 * August and September 2026 of three licensees with all that can stand on an invoice: packages, steps, volume, an allowance,
 * credit, a commitment, an evaluation, days of grace, corrections of August, a credit note, a tax, two currencies.
 */
export async function makeFocusMonths(database: Database, seed: number, calls = 700): Promise<{ creditNote: string }> {
  const read = readDeclarations(tree)
  if (!read.ok) throw new Error(JSON.stringify(read.error))
  const applied = await applyDeclarations(database, read.value, reviewed(Date.parse('2026-08-01T00:00:00Z')))
  if (!applied.ok) throw new Error(JSON.stringify(applied.error))
  const random = seeded(seed)
  const began = ({ license }: Use) => license !== 'LIC-OWNER'
  await use(database, randomUse(random, '2026-08', 31, 60).filter(began))
  await use(database, randomUse(random, '2026-09', 30, calls))
  for (const license of ['LIC-LAKESIDE', 'LIC-PRAIRIE'])
    await close(database, license, '2026-08', '2026-09-02T00:00:00Z')
  // Days of August that come late: they move its steps and its volume.
  await use(
    database,
    randomUse(random, '2026-08', 31, Math.ceil(calls / 15)).filter(({ license }) => license === 'LIC-LAKESIDE'),
  )
  const creditNote = await systemTransaction(database, 'bill', async (tx) => {
    const { number } = await tx
      .selectFrom('invoice')
      .select('number')
      .where('license', '=', 'LIC-PRAIRIE')
      .executeTakeFirstOrThrow()
    const now = instant(Date.parse('2026-09-09T09:30:00Z'))
    const credited = await creditInvoice(tx, { number, reason: 'agreed', actor: tester, now })
    if (!credited.ok) throw new Error(JSON.stringify(credited.error))
    return credited.value.number
  })
  return { creditNote }
}

export const licenses = ['LIC-LAKESIDE', 'LIC-OWNER', 'LIC-PRAIRIE']

export async function close(database: Database, license: string, name: string, now: string): Promise<void> {
  const closed = await closePeriod(
    { database, startSha256: nodeSha256, tax: sevenPercent },
    { license, period: month(name), reasons: new Map(), actor: tester, now: instant(Date.parse(now)) },
  )
  if (!closed.ok) throw new Error(JSON.stringify(closed.error))
}

interface Use {
  readonly license: string
  readonly plan: string
  readonly currency: string
  readonly started_at: string
  readonly facility: string
  readonly model: string
  readonly region: string
  readonly input: number
  readonly output: number
  readonly inferences: number
}

function randomUse(random: () => number, name: string, days: number, count: number): readonly Use[] {
  const upTo = (max: number) => Math.floor(random() * (max + 1))
  const pick = <T>(values: readonly T[]): T => values[upTo(values.length - 1)] as T
  return Array.from({ length: count }, () => {
    const license = pick(['LIC-LAKESIDE', 'LIC-LAKESIDE', 'LIC-LAKESIDE', 'LIC-OWNER', 'LIC-PRAIRIE'])
    const isEcg = license === 'LIC-LAKESIDE' && random() < 0.4
    const day = String(1 + upTo(days - 1)).padStart(2, '0')
    return {
      license,
      plan: license === 'LIC-LAKESIDE' ? 'standard' : license === 'LIC-OWNER' ? 'europe' : 'trial',
      currency: license === 'LIC-LAKESIDE' ? 'USD' : 'EUR',
      started_at: `${name}-${day}T${String(upTo(23)).padStart(2, '0')}:15:00.000Z`,
      facility: license === 'LIC-LAKESIDE' ? pick(sites) : license === 'LIC-OWNER' ? 'main' : 'only',
      model: isEcg ? 'ecg-low-ef' : 'scribe',
      region: random() < 0.9 ? 'us-east' : 'us-central',
      input: isEcg ? 0 : upTo(300_000),
      output: isEcg ? 0 : upTo(40_001),
      inferences: isEcg ? 1 + upTo(3) : 0,
    }
  })
}

async function use(database: Database, rows: readonly Use[]): Promise<void> {
  await database.systemPool.query(
    `insert into usage_event (tenant_id, request_id, attempt, started_at, operation, streamed, outcome, duration_ms,
       license, license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region,
       requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos,
       instance_id, ends_call)
     select l.tenant_id, request_id, 1, started_at, 'chat', false, 'answered', 5, l.license, 1, facility, 'ehr', 'key',
       'clinician', 'TREAT', model, '1.0.0', 'east', region, 1, input, output, inferences, 'host', r.plan, 1, currency, 0,
       l.tenant_id, true
     from json_to_recordset($1) as r (request_id uuid, license text, plan text, currency text, started_at timestamptz,
       facility text, model text, region text, input bigint, output bigint, inferences bigint)
     join license l using (license)`,
    [JSON.stringify(rows.map((row) => ({ ...row, request_id: randomUUID() })))],
  )
}

export type FocusTexts = Readonly<Record<Dataset, string>>

/** The four files of a month. */
export async function focusFiles(
  database: Database,
  name: string,
  of: { format?: FocusFormat; tenant?: string; now?: string } = {},
): Promise<FocusTexts> {
  const texts: Record<string, string> = {}
  for (const dataset of datasets) {
    texts[dataset] = ''
    const done = await systemTransaction(database, 'bill', (tx) =>
      exportFocus(
        tx,
        {
          dataset,
          format: of.format ?? 'csv',
          period: month(name),
          tenant: of.tenant,
          now: instant(Date.parse(of.now ?? '2026-10-05T00:00:00Z')),
          tax: sevenPercent,
        },
        (text) => void (texts[dataset] += text),
      ),
    )
    if (!done.ok) throw new Error(JSON.stringify(done.error))
  }
  return texts as FocusTexts
}
