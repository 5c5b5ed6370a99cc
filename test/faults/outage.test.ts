import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { hasProcesses } from '../support/command.ts'
import { until } from '../support/ledger.ts'
import { call, type Wish } from './client.ts'
import { atOneMoment } from './database.ts'
import { begin, conclude } from './evidence-of.ts'
import type { CallSeen } from './evidence.ts'
import { gatherFreeOf } from './gather.ts'
import { isReady, openWorld, untilReady, type Seat, type World } from './world.ts'

/** A suite that everybody runs has seconds; OUTAGE_SECONDS=300 takes five minutes. */
const outageSeconds = Number(process.env['OUTAGE_SECONDS'] ?? 6)
/** Longer than the outage, by what the product keeps as a margin, and by a slow machine. */
const longLeaseSeconds = Math.ceil(outageSeconds * 1.5) + 6
const shortLeaseSeconds = 2
/** How long the load has gone on when the database goes: what is lent ahead follows its pace. */
const warmSeconds = Math.min(60, Math.max(12, outageSeconds / 4))
const callers = 9
/** Between two calls of a caller. */
const thinkMs = 200

let world: World | undefined
afterEach(async () => {
  await world?.stop()
  world = undefined
}, 120_000)

async function open(leaseSeconds: number): Promise<World> {
  // Here no disk is full as well: that is a fault of its own, and its process can keep nothing while the database is away.
  world = await openWorld({ environment: { LEASE_SECONDS: String(leaseSeconds), SPOOL_BYTES_MAX: String(2 ** 30) } })
  await world.declareTight(1_000_000_000n)
  return world
}

/** A call, and whether the process that got it held enough of the budget when it came. */
interface Counted extends CallSeen {
  readonly isWithin: boolean
  readonly beganAt: number
}

/** What the processes hold of the budget while nobody can be asked for more, kept as the callers see it. */
class Leases {
  readonly #free: Map<number, bigint>
  constructor(free: ReadonlyMap<number, bigint>) {
    this.#free = new Map(free)
  }

  /** Takes a call's upper bound out; false when there is not enough, or nothing was lent at all. */
  take(pid: number, bound: bigint): boolean {
    const free = this.#free.get(pid) ?? 0n
    if (free < bound) return false
    this.#free.set(pid, free - bound)
    return true
  }

  giveBack(pid: number, rest: bigint): void {
    this.#free.set(pid, (this.#free.get(pid) ?? 0n) + rest)
  }
}

/** The callers of one hospital, each with its gateway: a portal does not change its connection with every call. */
class Load {
  readonly calls: Counted[] = []
  readonly #world: World
  readonly #running: readonly Promise<void>[]
  leases: Leases | undefined
  #isOver = false

  constructor(of: World) {
    this.#world = of
    this.#running = Array.from({ length: callers }, (_, index) => this.#keepCalling(index))
  }

  async stop(): Promise<readonly Counted[]> {
    this.#isOver = true
    await Promise.all(this.#running)
    return this.calls
  }

  async #keepCalling(index: number): Promise<void> {
    const seat = this.#world.slots[index % this.#world.slots.length]?.seat
    if (seat === undefined) throw new Error('nobody sits there')
    await sleep((index * thinkMs) / callers)
    for (let turn = 0; !this.#isOver; turn++) {
      this.calls.push(await this.#call(seat, (index + turn) % 2 === 0))
      await sleep(thinkMs)
    }
  }

  async #call(seat: Seat, streamed: boolean): Promise<Counted> {
    const { pid } = seat.gateway
    const wish: Wish = {
      tenant: 'prairie',
      application: 'trial',
      key: this.#world.keys.trial,
      operation: 'chat',
      streamed,
      wantsUsage: true,
      outputMax: 20,
      promptLength: 100,
    }
    const { leases } = this
    const isWithin = leases?.take(pid, boundTokens) ?? true
    const beganAt = performance.now()
    const deaths = seat.deaths.length
    const seen = await call(this.#world.agent, seat.gateway.url, wish)
    const used = BigInt((seen.usage?.input ?? 0) + (seen.usage?.output ?? 0))
    if (isWithin) leases?.giveBack(pid, boundTokens - used)
    return { ...seen, isWithin, beganAt, gatewayDied: seat.deaths.length !== deaths, wrongClock: false }
  }
}

/** No request of the load above is longer than this, and with it its upper bound. */
const boundTokens = 300n

const share = (part: number, whole: number) =>
  `${part} of ${whole} (${((100 * part) / Math.max(1, whole)).toFixed(1)} %)`

describe.skipIf(!hasProcesses)('without the database', () => {
  test(
    `for ${outageSeconds} s: calls within what is leased are answered, others are told when to come again, and afterwards nothing is lost`,
    async () => {
      const here = await open(longLeaseSeconds)
      const beginning = await begin(here)
      const load = new Load(here)
      await sleep(warmSeconds * 1_000)
      const free = await atOneMoment(here.database.adminUrl, (question) =>
        gatherFreeOf(question, { tenant: 'prairie', budget: 'tokens/month' }),
      )
      // What is in flight now is a part of it: left aside, so that it is counted once.
      await here.database.kill()
      const wentAt = performance.now()
      load.leases = new Leases(new Map([...free].map(([pid, amount]) => [pid, amount - boundTokens * 3n])))
      for (let second = 0; second < outageSeconds; second++) {
        await sleep(1_000)
        const ready = await Promise.all(here.slots.map((slot) => isReady(here, slot)))
        // Leases are fresh and the spool takes what is used: a call can be admitted, and they say so.
        expect(ready, `after ${second + 1} s`).toEqual(ready.map(() => true))
      }
      const backAt = performance.now()
      await here.database.start()
      await untilReady(here, 30_000)
      const calls = await load.stop()

      const during = calls.filter(({ beganAt }) => beganAt > wentAt && beganAt < backAt)
      const within = during.filter(({ isWithin }) => isWithin)
      const answered = within.filter(({ isWhole }) => isWhole)
      const { evidence, findings } = await conclude(here, beginning, {
        calls: () => calls,
        hostMayLie: false,
        allowances: [],
        // What is lent ahead is kept for half a lease time.
        withinMs: Math.max(60_000, longLeaseSeconds * 1_000),
      })
      console.log(
        `${outageSeconds} s without the database: within leased budgets ${share(answered.length, within.length)} answered; ` +
          `of all calls ${share(during.filter(({ isWhole }) => isWhole).length, during.length)}; ` +
          `leased at its beginning ${[...free.values()].join(', ')} tokens; ${evidence.ledger.length} ledger rows`,
      )
      expect(findings).toEqual([])
      expect(within.length).toBeGreaterThan(20)
      expect(answered.length / within.length).toBeGreaterThanOrEqual(0.99)
      // As the load goes on at its pace, it is provided for; a machine that others use has no even pace.
      expect(during.filter(({ isWhole }) => isWhole).length / during.length).toBeGreaterThan(0.5)
      const others = during.filter(({ isWhole }) => !isWhole).map(({ status, code }) => `${status} ${code}`)
      expect([...new Set(others)].filter((what) => what !== '503 unavailable')).toEqual([])
    },
    (outageSeconds + warmSeconds + longLeaseSeconds + 200) * 1_000,
  )

  test('for longer than leases can be relied on: not ready, every call 503 with a time, and afterwards nothing is lost', async () => {
    const here = await open(shortLeaseSeconds)
    const beginning = await begin(here)
    const load = new Load(here)
    await sleep(1_000)
    here.database.pause()
    try {
      await until('no process says that it is ready', 20_000, async () => {
        const ready = await Promise.all(here.slots.map((slot) => isReady(here, slot)))
        return ready.every((is) => !is)
      })
      const deafAt = performance.now()
      const refused = () => load.calls.filter(({ beganAt }) => beganAt > deafAt)
      await until('callers are told', 20_000, () => refused().length >= callers)
      expect(new Set(refused().map(({ status, code }) => `${status} ${code}`))).toEqual(new Set(['503 unavailable']))
      console.log(
        `beyond the leases: told after ${Math.max(...refused().map(({ milliseconds }) => milliseconds))} ms at the latest`,
      )
    } finally {
      here.database.resume()
    }
    await untilReady(here, 30_000)
    await sleep(500)
    const calls = await load.stop()
    expect(calls.at(-1)?.status).toBe(200)
    const { findings } = await conclude(here, beginning, {
      calls: () => calls,
      hostMayLie: false,
      allowances: [],
      withinMs: 60_000,
    })
    expect(findings).toEqual([])
  }, 120_000)
})
