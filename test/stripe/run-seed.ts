import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { openStripeSimulator, type StripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import { openStripeClient, pushInvoice, stripeSink, syncUsage, type SyncNeeds } from '../../src/billing/index.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { Failure, instant } from '../../src/kernel/index.ts'
import { seeded } from '../support/seeded.ts'

/** 2026-06-01T00:00:00Z, in seconds. */
const june = 1_780_272_000
const hour = 3600
const day = 86_400
const log = { info() {}, warn() {}, error() {} }

/** A process that died between two of its steps. */
class Crash extends Error {}

/** What stands at Stripe in the end. */
export interface Outcome {
  /** Units by `meter hour`. */
  readonly units: Readonly<Record<string, string>>
  /** Totals of final invoices in cents, by our number. */
  readonly invoices: Readonly<Record<string, number>>
  readonly crashes: number
  readonly faults: number
}

interface Step {
  readonly uses: readonly { readonly model: string; readonly at: number; readonly tokens: number }[]
  readonly advance: number
  readonly close?: string
}

/** What happens in the world, the same with faults and without. */
function planOf(seed: number): readonly Step[] {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const steps: Step[] = []
  let now = june + 12 * day
  const use = (ageMin: number, ageMax: number) => ({
    model: ['scribe', 'ecg'][below(2)] ?? '',
    at: Math.floor((now - ageMin - below(ageMax - ageMin)) / hour) * hour,
    tokens: 1 + below(1000),
  })
  const step = (uses: Step['uses'], advance: number, close?: string) => {
    steps.push({ uses, advance, ...(close === undefined ? {} : { close }) })
    now += advance
  }
  for (let count = 3 + below(4); count > 0; count--)
    step(
      Array.from({ length: 1 + below(4) }, () => use(hour, 10 * day)),
      [600, 5 * hour, day + hour, 2 * day][below(4)] ?? 0,
    )
  step([], 3 * day, 'INV-1')
  // After the invoice is final: late events, up to the last day on which Stripe takes them.
  step([use(33 * day, 34 * day), use(day, 20 * day)], hour)
  step([use(hour, 2 * day)], 2 * hour, 'INV-2')
  return steps
}

/** Runs a seed's world against a simulator of its own. The database is emptied first. */
export async function runSeed(database: Database, seed: number, hasFaults: boolean): Promise<Outcome> {
  const random = seeded(seed ^ 0x5f5f)
  const simulator = openStripeSimulator({ now: june + 12 * day })
  const sink = stripeSink(
    openStripeClient({
      secretKey: 'sk_test_simulated',
      apiBase: 'http://stripe.test',
      fetch: (input, init) => simulator.fetch(new Request(input, init)),
    }),
  )
  const tenantId = randomUUID()
  await systemTransaction(database, 'administer', (tx) =>
    sql`insert into tenant (tenant_id, tenant, name, kind) values (${tenantId}, 'lakeside', 'Lakeside', 'hospital')`.execute(
      tx,
    ),
  )
  let isFaulty = hasFaults
  let crashes = 0
  let faults = 0
  let billed = 0
  const needs = (): SyncNeeds => ({
    database,
    sink,
    log,
    holder: randomUUID(),
    now() {
      // Time is looked at between all steps of the driver, so that a crash here is a crash anywhere.
      if (isFaulty && random() < 0.02) {
        crashes++
        throw new Crash()
      }
      return instant(simulator.account.now * 1000)
    },
  })
  const attempt = async (work: (process: SyncNeeds) => Promise<unknown>): Promise<boolean> => {
    try {
      await work(needs())
      return true
    } catch (error) {
      // A crash while the lane is given back takes the place of the failure before it.
      if (!(error instanceof Crash || error instanceof Failure)) throw error
      return false
    }
  }
  const close = async (invoice: string) => {
    const total = await ledgerTotal(database, tenantId)
    const lines = [{ line: 'usage', description: 'Usage', amountMinor: BigInt(total - billed) }]
    billed = total
    const push = { tenantId, tenantName: 'Lakeside', invoice, currency: 'USD', lines }
    for (let tries = 0; !(await attempt((process) => pushInvoice(process, push))); tries++) {
      if (tries > 50) throw new Error(`seed ${seed}: ${invoice} is never pushed`)
      if (tries % 5 === 0) simulator.knobs.foreign404 = 0
      // Stripe's keys are forgotten meanwhile. Not while a report is in its last day: nobody could send that any more.
      simulator.account.now += invoice === 'INV-1' && tries < 2 && random() < 0.3 ? day + 1 : 60
    }
  }
  for (const step of planOf(seed)) {
    for (const use of step.uses) await addUse(database, tenantId, use)
    if (hasFaults) faults += turnKnobs(simulator, random)
    const before = simulator.account.now
    const process = () => attempt((one) => syncUsage(one))
    if (hasFaults && random() < 0.3) await Promise.all([process(), process()])
    else await process()
    if (step.close !== undefined) await close(step.close)
    // What a push waited is less than its step, so that both worlds go on at the same time.
    if (simulator.account.now > before + step.advance) throw new Error(`seed ${seed}: a push outlasts its step`)
    simulator.account.now = before + step.advance
  }
  isFaulty = false
  Object.assign(simulator.knobs, { dropEvents: 0, failAfterCommit: 0, closeAfterCommit: 0, closeBefore: 0, tooMany: 0 })
  simulator.knobs.foreign404 = 0
  for (let run = 0; run < 6; run++) {
    await attempt((one) => syncUsage(one))
    simulator.account.now += hour
  }
  return { units: unitsAt(simulator), invoices: invoicesAt(simulator), crashes, faults }
}

function turnKnobs({ knobs }: StripeSimulator, random: () => number): number {
  const kinds = ['dropEvents', 'failAfterCommit', 'closeAfterCommit', 'closeBefore', 'tooMany', 'foreign404'] as const
  let turned = 0
  for (const kind of kinds)
    if (random() < 0.25) {
      knobs[kind] = 1 + Math.floor(random() * 2)
      turned++
    }
  knobs.aggregationLagSeconds = random() < 0.5 ? 0 : 900
  return turned
}

async function addUse(database: Database, tenantId: string, use: Step['uses'][number]): Promise<void> {
  await systemTransaction(database, 'commit-usage', (tx) =>
    sql`
      insert into usage_hour as h (tenant_id, hour, license, facility, application, model, version, plan, plan_revision,
        currency, requests, input_tokens, output_tokens, inferences, charge_picos)
      values (${tenantId}, ${new Date(use.at * 1000)}, 'LIC-1', 'general', 'ehr', ${use.model}, '1.0.0', 'standard', 1, 'USD',
        0, ${use.tokens}, 0, 0, 0)
      on conflict (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency)
      do update set input_tokens = h.input_tokens + excluded.input_tokens`.execute(tx),
  )
}

/** A cent per token. */
const ledgerTotal = async (database: Database, tenantId: string): Promise<number> =>
  Object.values(await ledgerUnits(database, tenantId)).reduce((sum, units) => sum + Number(units), 0)

/** The ledger's own sums by `meter hour`. */
export async function ledgerUnits(database: Database, tenantId?: string): Promise<Record<string, string>> {
  return systemTransaction(database, 'maintain', async (tx) => {
    const { rows } = await sql<{ model: string; hour: Date; units: string }>`
      select model, hour, sum(input_tokens)::text as units from usage_hour
      where ${tenantId ?? null}::uuid is null or tenant_id = ${tenantId ?? null}::uuid
      group by 1, 2 order by 1, 2`.execute(tx)
    return Object.fromEntries(
      rows.map(({ model, hour: at, units }) => [`formulary.${model}.input_tokens ${at.getTime() / 1000}`, units]),
    )
  })
}

/** What Stripe counts, event by event as a windowed meter does: each hour its newest. */
function unitsAt({ account }: StripeSimulator): Record<string, string> {
  const newest = new Map<string, string>()
  for (const event of account.usage)
    if (event.visibleAt <= account.now)
      newest.set(`${account.meters.get(event.meter)?.event_name} ${event.timestamp}`, String(event.value))
  return Object.fromEntries([...newest].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function invoicesAt({ account }: StripeSimulator): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const invoice of account.invoices.values()) {
    const name = invoice.metadata['formulary_invoice'] ?? ''
    if (invoice.status !== 'draft') totals[name] = (totals[name] ?? 0) + invoice.total
  }
  return totals
}
