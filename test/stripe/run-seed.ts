import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { markUncollectible, voidInvoice } from '../../infra/stripe-simulator/invoices.ts'
import { createRefund, payInvoice } from '../../infra/stripe-simulator/payments.ts'
import { Problem } from '../../infra/stripe-simulator/problem.ts'
import { startStripeSimulator, type StripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import { createEndpoint } from '../../infra/stripe-simulator/webhooks.ts'
import { openStripeDoor, pushInvoices, receiveEvent, syncUsage, type SyncNeeds } from '../../src/billing/index.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { Failure, instant } from '../../src/kernel/index.ts'
import { seeded } from '../support/seeded.ts'
import { bill, credit } from './bill.ts'
import { outcomeOf, type Outcome } from './outcome.ts'
import { day, hour, planOf, worldBegins, type Act, type Step, type Use } from './world.ts'

const log = { info() {}, warn() {}, error() {} }

/** A process that died between two of its steps. */
class Crash extends Error {}

export interface Ran {
  readonly outcome: Outcome
  readonly crashes: number
  readonly faults: number
  /** Deliveries of webhooks, lost ones not among them. */
  readonly deliveries: number
}

/** Runs a world against a simulator of its own, on a socket, with the faults of a seed or none. The database is empty before. */
export async function runSeed(
  database: Database,
  of: { readonly world: number; readonly faults: number | undefined },
): Promise<Ran> {
  const simulator = await startStripeSimulator({ now: worldBegins })
  try {
    return await new Run({ database, simulator, ...of }).play()
  } finally {
    await simulator.stop()
  }
}

class Run {
  readonly #database: Database
  readonly #simulator: StripeSimulator
  readonly #world: number
  readonly #random: () => number
  readonly #door: ReturnType<typeof openStripeDoor>
  readonly #tenantId = randomUUID()
  readonly #hasFaults: boolean
  #isFaulty: boolean
  #crashes = 0
  #faults = 0
  #deliveries = 0

  constructor(of: {
    database: Database
    simulator: StripeSimulator & { readonly port: number }
    world: number
    faults: number | undefined
  }) {
    this.#database = of.database
    this.#simulator = of.simulator
    this.#world = of.world
    this.#hasFaults = of.faults !== undefined
    this.#isFaulty = this.#hasFaults
    this.#random = seeded((of.faults ?? 0) ^ 0x5f5f)
    const made = createEndpoint(of.simulator.account, { url: 'http://gateway/', enabled_events: { '0': '*' } })
    this.#door = openStripeDoor({
      secretKey: 'sk_test_simulated',
      apiBase: `http://127.0.0.1:${of.simulator.port}`,
      webhookSecrets: ['secret' in made ? String(made.secret) : ''],
    })
  }

  async play(): Promise<Ran> {
    const { account } = this.#simulator
    await this.#begin()
    for (const step of planOf(this.#world)) {
      if (step.uses.length > 0) await addUses(this.#database, this.#tenantId, step.uses)
      this.#isFaulty = this.#hasFaults && step.isQuiet !== true
      if (this.#isFaulty) this.#turnKnobs()
      else this.#quieten()
      const before = account.now
      await this.#sync()
      await this.#documents(step)
      if (step.act !== undefined) act(this.#simulator, step.act)
      await this.#deliver()
      // What a push waited is less than its step, so that both worlds go on at the same time.
      if (account.now > before + step.advance) throw new Error(`world ${this.#world}: a push outlasts its step`)
      account.now = before + step.advance
    }
    await this.#end()
    return {
      outcome: await outcomeOf(this.#database, this.#simulator),
      crashes: this.#crashes,
      faults: this.#faults,
      deliveries: this.#deliveries,
    }
  }

  #begin(): Promise<unknown> {
    return systemTransaction(this.#database, 'administer', async (tx) => {
      await sql`insert into tenant (tenant_id, tenant, name, kind) values (${this.#tenantId}, 'lakeside', 'Lakeside', 'hospital')`.execute(
        tx,
      )
      await sql`insert into license (tenant_id, license) values (${this.#tenantId}, 'LIC-1')`.execute(tx)
    })
  }

  /** Everything is well again: what was lost is found, by hours of asking, and by the look of the next day. */
  async #end(): Promise<void> {
    this.#isFaulty = false
    this.#quieten()
    for (const wait of [hour, hour, hour, hour, hour, 25 * hour, 0]) {
      await this.#sync()
      await this.#attempt((one) => pushInvoices(one))
      await this.#deliver()
      this.#simulator.account.now += wait
    }
  }

  /** Of a process of its own. */
  #needs(): SyncNeeds {
    return {
      database: this.#database,
      sink: this.#door.sink,
      log,
      holder: randomUUID(),
      now: () => {
        // Time is looked at between all steps of the driver, so that a crash here is a crash anywhere.
        if (this.#isFaulty && this.#random() < 0.02) {
          this.#crashes++
          throw new Crash()
        }
        return instant(this.#simulator.account.now * 1000)
      },
    }
  }

  async #attempt(work: (process: SyncNeeds) => Promise<unknown>): Promise<boolean> {
    try {
      await work(this.#needs())
      return true
    } catch (error) {
      // A crash while a lane is given back takes the place of the failure before it.
      if (!(error instanceof Crash || error instanceof Failure)) throw error
      return false
    }
  }

  async #sync(): Promise<void> {
    const once = () => this.#attempt((one) => syncUsage(one))
    if (this.#isFaulty && this.#random() < 0.3) await Promise.all([once(), once()])
    else await once()
  }

  async #documents(step: Step): Promise<void> {
    const now = instant(this.#simulator.account.now * 1000)
    const number =
      step.bill !== undefined
        ? await bill(this.#database, this.#tenantId, now)
        : step.credit !== undefined
          ? await credit(this.#database, step.credit, now)
          : undefined
    if (number !== undefined) await this.#push(number)
  }

  /** Until it is there; its lease, and what it waits before it tries again, pass meanwhile. */
  async #push(number: string): Promise<void> {
    for (let tries = 0; !(await this.#isThere(number)); tries++) {
      if (tries > 60) throw new Error(`world ${this.#world}: ${number} is never pushed`)
      if (tries > 8) this.#quieten()
      if (tries > 12) this.#isFaulty = false
      const once = () => this.#attempt((one) => pushInvoices(one))
      if (this.#isFaulty && this.#random() < 0.3) await Promise.all([once(), once()])
      else await once()
      if (await this.#isThere(number)) return
      // Stripe's keys are forgotten meanwhile. Not while a report is in its last day: nobody could send that any more.
      this.#simulator.account.now += number === 'INV-000001' && tries < 2 && this.#random() < 0.3 ? day + 1 : 660
    }
  }

  async #isThere(number: string): Promise<boolean> {
    const { rows } = await this.#database.systemPool.query(
      `select from stripe_invoice where invoice = $1 and state not in ('open', 'pushed')`,
      [number],
    )
    return rows.length === 1
  }

  /** Brings what waits; some of it comes to two processes at once. */
  #deliver(): Promise<unknown> {
    return this.#simulator.webhooks.flush(async (_, init) => {
      this.#deliveries++
      const once = () => this.#attempt((one) => this.#receive(one, init))
      const isTwice = this.#isFaulty && this.#random() < 0.3
      const taken = isTwice ? (await Promise.all([once(), once()])).includes(true) : await once()
      return new Response(null, { status: taken ? 200 : 500 })
    })
  }

  async #receive(one: SyncNeeds, { body, headers }: RequestInit): Promise<void> {
    const signature = new Headers(headers).get('stripe-signature') ?? ''
    const now = instant(this.#simulator.account.now * 1000)
    const event = await this.#door.readEvent({ body: typeof body === 'string' ? body : '', signature, now })
    if (!event.ok) throw new Error(`world ${this.#world}: ${event.error.reason}`)
    if ((await receiveEvent(one, event.value)) === 'busy') throw new Failure('stripe', 'busy', { retryable: true })
  }

  #turnKnobs(): void {
    const { knobs } = this.#simulator
    const kinds = [
      'dropEvents',
      'failAfterCommit',
      'closeAfterCommit',
      'closeBefore',
      'tooMany',
      'foreign404',
      'loseDeliveries',
    ] as const
    for (const kind of kinds)
      if (this.#random() < 0.25) {
        knobs[kind] = 1 + Math.floor(this.#random() * 2)
        this.#faults++
      }
    knobs.aggregationLagSeconds = this.#random() < 0.5 ? 0 : 900
    knobs.duplicateDeliveries = this.#random() < 0.5 ? 0 : 1
    knobs.reorderDeliveries = this.#random() < 0.5
  }

  #quieten(): void {
    Object.assign(this.#simulator.knobs, {
      dropEvents: 0,
      failAfterCommit: 0,
      closeAfterCommit: 0,
      closeBefore: 0,
      tooMany: 0,
      foreign404: 0,
      loseDeliveries: 0,
    })
  }
}

/** What people and banks do at Stripe, which is not our call and has no fault. */
function act({ account, webhooks: { emit }, knobs }: StripeSimulator, of: { act: Act; invoice: string }): void {
  const invoice = [...account.invoices.values()].find(({ metadata }) => metadata['formulary_invoice'] === of.invoice)
  if (invoice === undefined) throw new Error(`no ${of.invoice} at Stripe`)
  const { id } = invoice
  switch (of.act) {
    case 'pay':
      if (invoice.status !== 'paid') payInvoice(account, id, {}, { knobs, emit })
      return
    case 'fail':
      knobs.failPayments = 1
      try {
        payInvoice(account, id, {}, { knobs, emit })
      } catch (error) {
        if (!(error instanceof Problem)) throw error
      }
      return
    case 'give_up':
      markUncollectible(account, id, emit)
      return
    case 'void':
      voidInvoice(account, id, emit)
      return
    case 'refund': {
      const payment = [...account.payments.values()].find((one) => one.invoice === id)
      const amount = String(Math.max(1, Math.floor((payment?.amount_paid ?? 0) / 3)))
      createRefund(account, { payment_intent: payment?.payment.payment_intent ?? '', amount }, emit)
    }
  }
}

async function addUses(database: Database, tenantId: string, uses: readonly Use[]): Promise<void> {
  await systemTransaction(database, 'commit-usage', async (tx) => {
    for (const use of uses)
      await sql`
        insert into usage_hour as h (tenant_id, hour, license, facility, application, model, version, plan, plan_revision,
          currency, requests, input_tokens, output_tokens, inferences, charge_picos)
        values (${tenantId}, ${new Date(use.at * 1000)}, 'LIC-1', 'general', 'ehr', ${use.model}, '1.0.0', 'standard', 1,
          'USD', 0, ${use.tokens}, 0, 0, 0)
        on conflict (tenant_id, hour, license, facility, application, model, version, plan, plan_revision, currency)
        do update set input_tokens = h.input_tokens + excluded.input_tokens`.execute(tx)
  })
}
