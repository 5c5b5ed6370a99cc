import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  endAllCommands,
  familyOf,
  formulary,
  hasProcesses,
  runCommand,
  untilGone,
  type Command,
  type Process,
} from '../support/command.ts'
import { testHostKey, testPepper } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { call, type Wish } from './client.ts'
import { ask } from './database.ts'
import { begin, conclude } from './evidence-of.ts'
import type { CallSeen } from './evidence.ts'
import { openWorld, untilReady, type World } from './world.ts'

/** How often every process is replaced; ROUNDS=20 replaces often. */
const rounds = Number(process.env['ROUNDS'] ?? 1)
const callers = 8

let world: World | undefined
beforeAll(async () => {
  if (!hasProcesses) return
  world = await openWorld({ environment: { LEASE_SECONDS: '10' } })
  await world.declareTight(1_000_000_000n)
}, 120_000)
afterAll(async () => {
  endAllCommands()
  await world?.stop()
}, 120_000)

/** Calls wherever `origin` says, and again elsewhere when the connection was refused or had just been closed. */
class Load {
  readonly calls: CallSeen[] = []
  /** Calls of which nothing came, not even a status: the next one was asked. */
  unheard = 0
  readonly #running: readonly Promise<void>[]
  #isOver = false

  constructor(here: World, origin: (turn: number) => string | undefined) {
    this.#running = Array.from({ length: callers }, async (_, index) => {
      for (let turn = index; !this.#isOver; turn++) {
        const at = origin(turn)
        if (at === undefined) await sleep(5)
        else await this.#call(here, at, turn)
      }
    })
  }

  async stop(): Promise<readonly CallSeen[]> {
    this.#isOver = true
    await Promise.all(this.#running)
    return this.calls
  }

  async #call(here: World, origin: string, turn: number): Promise<void> {
    const wish: Wish = {
      tenant: 'lakeside',
      application: 'ehr',
      key: here.keys.ehr,
      operation: 'chat',
      streamed: turn % 2 === 0,
      wantsUsage: true,
      outputMax: 20,
      promptLength: 100,
    }
    const seen = await call(here.agent, origin, wish)
    if (seen.status === 0) {
      this.unheard++
      await sleep(20)
    } else this.calls.push({ ...seen, gatewayDied: false, wrongClock: false })
  }
}

/** Every call that was heard at all ended whole, and no other call has left anything behind. */
async function expectNothingLost(here: World, beginning: Awaited<ReturnType<typeof begin>>, load: Load): Promise<void> {
  const calls = await load.stop()
  const { evidence, findings } = await conclude(here, beginning, {
    calls: () => calls,
    hostMayLie: false,
    allowances: [],
    withinMs: 60_000,
  })
  const notWhole = calls.filter(({ isWhole }) => !isWhole)
  const known = new Set(calls.map(({ requestId }) => requestId))
  const ofNobody = evidence.ledger.filter(({ requestId }) => !known.has(requestId))
  const unbilled = evidence.host.filter(({ requestId }) => requestId !== null && !known.has(requestId))
  console.log(
    `${calls.length} calls, ${notWhole.length} not whole, ${load.unheard} on a connection that had just been closed ` +
      `(${ofNobody.length} of those in the ledger), ${evidence.ledger.length} ledger rows`,
  )
  expect(findings).toEqual([])
  expect(notWhole).toEqual([])
  expect(unbilled).toEqual([])
  expect(ofNobody).toEqual([])
  expect(calls.length).toBeGreaterThan(20)
}

const needWorld = (): World => {
  if (world === undefined) throw new Error('no world')
  return world
}

describe.skipIf(!hasProcesses)('under load', () => {
  test(
    'one process after the other is asked to stop and replaced: no call is lost',
    async () => {
      const here = needWorld()
      const beginning = await begin(here)
      const load = new Load(here, (turn) => here.slots[turn % here.slots.length]?.seat?.gateway.url)
      for (let round = 0; round < rounds; round++)
        for (const slot of here.slots) {
          await sleep(150)
          const { seat } = slot
          // As a balancer does: first nobody new is sent there, then the process is asked to end.
          slot.seat = undefined
          seat?.gateway.signal('SIGTERM')
          await seat?.gateway.stop()
          await here.refill(slot)
        }
      await untilReady(here, 30_000)
      await expectNothingLost(here, beginning, load)
    },
    120_000 + rounds * 90_000,
  )

  test(
    'each process of a supervisor is asked to stop, and the supervisor puts another in its place: no call is lost',
    async () => {
      const here = needWorld()
      const beginning = await begin(here)
      const machine = await startMachine(here)
      const load = new Load(here, () => machine.url)
      try {
        for (let round = 0; round < rounds; round++)
          for (const worker of machine.workers()) {
            await sleep(150)
            process.kill(worker.pid, 'SIGTERM')
            await untilGone([worker], 60_000)
            // The next one is asked only when this one's successor serves: else nobody would be left.
            await until('another one serves', 90_000, async () => {
              const serving = await ask<{ pid: number }>(here.database.adminUrl, 'select pid from instance')
              const pids = new Set(serving.map(({ pid }) => pid))
              const workers = machine.workers()
              return workers.length === workersOfMachine && workers.every(({ pid }) => pids.has(pid))
            })
            await sleep(500)
          }
      } finally {
        await load.stop()
        await machine.stop()
      }
      expect(machine.lastStatus()).toBe(0)
      await expectNothingLost(here, beginning, load)
    },
    120_000 + rounds * 120_000,
  )

  test(
    'two machines with a supervisor each are upgraded one after the other: no call is lost',
    async () => {
      const here = needWorld()
      const beginning = await begin(here)
      const machines = await Promise.all([startMachine(here), startMachine(here)])
      const load = new Load(here, (turn) => machines[turn % machines.length]?.url)
      try {
        for (let round = 0; round < rounds; round++)
          for (const [index, machine] of machines.entries()) {
            await sleep(200)
            await machine.replace()
            expect(machine.lastStatus(), `machine ${index} ends as it should`).toBe(0)
          }
        await sleep(200)
      } finally {
        await load.stop()
        await Promise.all(machines.map((machine) => machine.stop()))
      }
      await expectNothingLost(here, beginning, load)
    },
    120_000 + rounds * 120_000,
  )
})

interface Machine {
  readonly url: string | undefined
  replace(): Promise<void>
  stop(): Promise<void>
  lastStatus(): number | null | undefined
  workers(): readonly Process[]
}

const workersOfMachine = 2

/** `formulary serve` with two processes on one port, as an operator runs it. */
async function startMachine(here: World): Promise<Machine> {
  const [port, adminPort] = await freePorts()
  const origin = `http://127.0.0.1:${port}`
  let command: Command
  let url: string | undefined
  let status: number | null | undefined
  const start = async () => {
    command = runCommand(process.execPath, [formulary, 'serve'], {
      environment: {
        DATABASE_URL: here.database.appUrl,
        KEY_PEPPER: testPepper,
        TEST_HOST_KEY: testHostKey,
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        WORKERS: String(workersOfMachine),
        DATA_DIR: here.dataDir,
        LEASE_SECONDS: '10',
        LOG_LEVEL: 'warn',
      },
    })
    await until('the machine serves', 90_000, () => {
      if (command.stdout().includes('"gateway"')) return true
      if (command.stderr() !== '') throw new Error(command.stderr())
      return false
    })
    url = origin
  }
  const stop = async () => {
    url = undefined
    command.kill('SIGTERM')
    status = (await command.ended).status
  }
  await start()
  return {
    get url() {
      return url
    },
    async replace() {
      await stop()
      await start()
    },
    stop,
    lastStatus: () => status,
    workers: () => familyOf(command.pid).filter(({ commandLine }) => commandLine.includes('gateway-worker')),
  }
}

async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()]
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address !== null ? address.port : 0)
          }),
        ),
    ),
  )
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
  const [one = 0, other = 0] = ports
  return [one, other]
}
