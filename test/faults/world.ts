import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from 'undici'
import { startModelHost, type Knobs, type ModelHost } from '../../infra/model-host/model-host.ts'
import type { Database } from '../../src/db/index.ts'
import { declareTree, mintKey, openTestDatabase } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { spawnGateway, type GatewayProcess } from '../support/processes.ts'
import { startFaultyDatabase, type FaultyDatabase } from './database.ts'
import { openNetwork, type Network } from './network.ts'
import { leaseSeconds, slots, type Way } from './schedule.ts'

/** A gateway process with its own way to the database. */
export interface Seat {
  readonly network: Network
  readonly gateway: GatewayProcess
  /** When it was killed, or said that it had been taken for dead: what a call may not survive. */
  readonly deaths: number[]
  /** Its wall clock has been stepped. */
  hasWrongClock: boolean
  /** The last lines of its log, of warnings and errors. */
  readonly log: readonly string[]
}

/** Where callers look for a gateway. While one is replaced there is nobody. */
export interface Slot {
  readonly index: number
  seat: Seat | undefined
}

/** The real product with everything that can go wrong around it, for many schedules. */
export interface World {
  readonly dataDir: string
  readonly database: FaultyDatabase
  readonly host: ModelHost
  /** How the model host behaves when nothing is wrong with it. */
  readonly honestKnobs: Knobs
  readonly ways: Readonly<Record<Way, Network>>
  readonly slots: readonly Slot[]
  readonly agent: Agent
  readonly keys: Readonly<Record<'ehr' | 'reader' | 'portal' | 'trial', string>>
  /** Declares how many tokens the tenant with the tight budget may have used in all. */
  declareTight(limit: bigint): Promise<void>
  /** Puts a process that is up already into a slot; another one begins to start for the next time. */
  refill(slot: Slot): Promise<void>
  stop(): Promise<void>
}

const logLinesMax = 200
const startsMax = 60
const clock = new URL('stepped-clock.ts', import.meta.url)

export async function openWorld(options: { environment?: Readonly<Record<string, string>> } = {}): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), 'formulary-faults-data-'))
  const database = await startFaultyDatabase()
  const host = await startModelHost({ knobs: { firstTokenMs: 4, chunkMs: 1, chunks: 10 } })
  const hostPort = Number(new URL(host.url).port)
  const ways = { east: await openNetwork(hostPort), west: await openNetwork(hostPort) }
  const places: readonly Slot[] = Array.from({ length: slots }, (_, index) => ({ index, seat: undefined }))
  const networks: Network[] = []
  let isOver = false

  const start = async (): Promise<Seat> => {
    const network = await openNetwork(database.port)
    networks.push(network)
    const databaseUrl = new URL(database.appUrl)
    databaseUrl.port = String(network.port)
    const log: string[] = []
    const deaths: number[] = []
    const seat = { network, deaths, hasWrongClock: false, log }
    for (let attempt = 0; attempt < startsMax && !isOver; attempt++) {
      try {
        const gateway = await spawnGateway({
          databaseUrl: databaseUrl.href,
          environment: {
            LEASE_SECONDS: String(leaseSeconds),
            FIRST_BYTE_SECONDS: '1',
            IDLE_SECONDS: '1',
            DRAIN_SECONDS: '5',
            LOG_LEVEL: 'warn',
            // One directory for all, as under a supervisor: neighbors bury their dead.
            DATA_DIR: dataDir,
            // Every third process finds its disk full after a few batches.
            ...(networks.length % 3 === 0 ? { SPOOL_BYTES_MAX: '2000' } : {}),
            ...options.environment,
          },
          preload: clock,
          log: (line) => {
            log.push(line)
            // It says itself that it was taken for dead: what it had not told by then, it may not have noted either.
            if (line.includes('"lease.lost"')) deaths.push(performance.now())
            if (log.length > logLinesMax) log.shift()
          },
        })
        return Object.assign(seat, { gateway })
      } catch {
        // The database is away: a supervisor would try again as well.
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    throw new Error(`no gateway came up:\n${log.join('\n')}`)
  }
  let spare: Promise<Seat> | undefined
  const refill = async (slot: Slot): Promise<void> => {
    const taken = spare ?? start()
    spare = undefined
    slot.seat = await taken
    spare ??= start()
    spare.catch(() => {})
  }
  const withDatabase = async <T>(work: (product: Database) => Promise<T>): Promise<T> => {
    const product = openTestDatabase(database.appUrl)
    try {
      return await work(product)
    } finally {
      await product.close()
    }
  }
  const declareTight = (limit: bigint) =>
    withDatabase((product) =>
      declareTree(product, `http://127.0.0.1:${ways.east.port}`, {
        'models/scribe.yaml': (text) =>
          text.replace(
            /( {6}- \{ name: east, .*model: scribe-1, .*\})\n/,
            `$1\n      - { name: west, url: "http://127.0.0.1:${ways.west.port}/v1", model: scribe-1, region: us-east, weight: 1, credential: { env: TEST_HOST_KEY } }\n`,
          ),
        'prairie/license.yaml': (text) => text.replace('limit: 1000000000', `limit: ${limit}`),
      }),
    )

  await declareTight(1n)
  const keys = await withDatabase(async (product) => ({
    ehr: await mintKey(product, 'lakeside/ehr', { days: 300 }),
    reader: await mintKey(product, 'lakeside/reader', { days: 300 }),
    portal: await mintKey(product, 'lakeside/portal', { days: 300 }),
    trial: await mintKey(product, 'prairie/trial', { days: 300 }),
  }))
  await Promise.all(places.map(async (slot) => (slot.seat = await start())))
  spare = start()
  const agent = new Agent({ connections: 64, pipelining: 1, connectTimeout: 5_000 })
  return {
    dataDir,
    database,
    host,
    honestKnobs: host.knobs(),
    ways,
    slots: places,
    agent,
    keys,
    async declareTight(limit) {
      await declareTight(limit)
      // A revision is known everywhere within a second, and until then the old limit is in force.
      const knows = async ({ seat }: Slot) =>
        seat === undefined || (await tightLimitOf(agent, seat, keys.trial)) === limit
      await until('every gateway knows the new limit', 20_000, async () =>
        (await Promise.all(places.map(knows))).every((is) => is),
      )
    },
    refill,
    async stop() {
      isOver = true
      await agent.destroy()
      const starting = await spare?.catch(() => undefined)
      const seats = [...places.map(({ seat }) => seat), starting].filter((seat) => seat !== undefined)
      await Promise.all(seats.map((seat) => seat.gateway.stop()))
      await Promise.all([...networks, ways.east, ways.west].map((way) => way.stop()))
      await host.stop()
      await database.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Waits until every place serves: a process that says that it is ready. */
export async function untilReady(world: World, withinMs: number): Promise<void> {
  await until('every gateway is ready', withinMs, async () => {
    const ready = await Promise.all(world.slots.map((slot) => isReady(world, slot)))
    return ready.every((is) => is)
  })
}

/** The limit of tokens in a month that a gateway has of a caller's license. */
async function tightLimitOf(agent: Agent, { gateway }: Seat, key: string): Promise<bigint | undefined> {
  const headers = { authorization: `Bearer ${key}` }
  try {
    const { body } = await agent.request({ origin: gateway.url, path: '/v1/license', method: 'GET', headers })
    const license = (await body.json()) as { budgets?: readonly { budget: string; limit: string | number | null }[] }
    const limit = license.budgets?.find(({ budget }) => budget === 'tokens/month')?.limit
    return limit === undefined || limit === null ? undefined : BigInt(limit)
  } catch {
    return undefined
  }
}

export async function isReady(world: World, { seat }: Slot): Promise<boolean> {
  if (seat === undefined || !seat.gateway.isRunning()) return false
  try {
    const { statusCode, body } = await world.agent.request({ origin: seat.gateway.url, path: '/readyz', method: 'GET' })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}
