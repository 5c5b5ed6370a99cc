import { afterAll, beforeAll, expect, test } from 'vitest'
import { instant, picos, type Uuid } from '../../src/kernel/index.ts'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import {
  expireInstance,
  setAsideIn,
  unfoldBatchesIn,
  writeBatchTo,
  writeLateTo,
  writeOpenTo,
  type OpenCall,
  type PackedBatch,
  type UsageEvent,
} from '../../src/metering/index.ts'
import { accountOf, postgresAuthority, type Account, type LeaseAuthority } from '../../src/quota/index.ts'
import { openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'
import { SimulatedDatabase } from './simulated-database.ts'

/** Sequences of commands, each as long as this. SEQUENCES=200 runs many. */
const sequences = Number(process.env['SEQUENCES'] ?? 25)
const length = 80

let databases: TestDatabase
let database: Database

beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await systemTransaction(database, 'apply-declarations', async (tx) => {
    const tenants = [1, 2].map((index) => ({
      tenant_id: uuid(index),
      tenant: `t-${index}`,
      name: 'T',
      kind: 'hospital',
    }))
    await tx.insertInto('tenant').values(tenants).execute()
  })
})

afterAll(async () => {
  await database.close()
  await databases.drop()
})

const uuid = (number: number): Uuid => `0190a000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`
const periodStart = Date.UTC(2026, 6, 1)

test.each(Array.from({ length: sequences }, (_, index) => index + 1))(
  'the simulated database answers and keeps what Postgres does: sequence %i',
  async (seed) => {
    const pair = openPair(seed)
    for (let step = 0; step < length; step++) {
      const { words, real, simulated } = await pair.next()
      expect(simulated, `seed ${seed}, step ${step}: ${words}`).toEqual(real)
      expect(kept(pair.simulation), `seed ${seed}, step ${step}: ${words}`).toEqual(await keptReally(seed))
    }
  },
  120_000,
)

interface Step {
  readonly words: string
  readonly real: unknown
  readonly simulated: unknown
}

/** The same commands for both, in accounts and instances of this seed's own. */
function openPair(seed: number) {
  const random = seeded(seed)
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const pick = <T>(from: readonly [T, ...T[]]): T => from[upTo(from.length - 1)] ?? from[0]
  const simulation = new SimulatedDatabase()
  const authority = postgresAuthority(database)
  const write = writeBatchTo(database)
  const unfold = unfoldBatchesIn(database)
  const instances = [1, 2, 3].map((index) => uuid(seed * 1_000 + index)) as [Uuid, Uuid, Uuid]
  // Two doors to the leases of an instance, each with its own numbers: through the one less used commands come late.
  const doors = new Map<Uuid, [Door, Door]>()
  const accounts = ['tokens/month', 'concurrency'].map((budget) =>
    accountOf({
      tenantId: uuid(1 + (seed % 2)),
      license: `LIC-${seed}`,
      budget,
      periodStart: instant(periodStart),
      periodEnd: instant(Date.UTC(2026, 7, 1)),
    }),
  ) as [Account, Account]
  let revision = 1
  let calls = 0
  const batches: PackedBatch[] = []
  const noted: OpenCall[] = []

  const newDoor = (instanceId: Uuid): Door => ({ leases: authority.lendTo(instanceId), lastCommand: 0 })
  const doorOf = (instanceId: Uuid): Door => {
    let pair = doors.get(instanceId)
    if (pair === undefined) doors.set(instanceId, (pair = [newDoor(instanceId), newDoor(instanceId)]))
    return random() < 0.85 ? pair[0] : pair[1]
  }
  const step = async (words: string, real: Promise<unknown>, simulated: () => unknown): Promise<Step> => ({
    words,
    real: await real.catch(shownError),
    simulated: attempt(simulated),
  })

  const next = async (): Promise<Step> => {
    const instanceId = pick(instances)
    const account = random() < 0.8 ? accounts[0] : accounts[1]
    const door = doorOf(instanceId)
    const held = BigInt(upTo(6) * 20)
    switch (upTo(11)) {
      case 0: {
        const isNew = !simulation.instances.has(instanceId)
        if (!isNew) return step('renew', authority.renew(instanceId, 60), () => simulation.renew(instanceId, 1e12))
        const born = { instanceId, platform: 'node', leaseSeconds: 60, place: undefined } as const
        return step('register', authority.register(born), () => simulation.register(instanceId, 1e12))
      }
      case 1:
      case 2: {
        const limit = {
          limit: random() < 0.1 ? null : BigInt(100 + upTo(300)),
          revision: random() < 0.2 ? ++revision : revision,
        }
        return step('open', door.leases.open(account, limit), () => simulation.open(instanceId, account, limit))
      }
      case 3:
      case 4: {
        const needMin = BigInt(upTo(80) - 5)
        const wanted = { needMin, need: needMin + BigInt(upTo(50)), want: needMin + BigInt(upTo(600)) }
        return step(`lend ${held}`, door.leases.lend(account, held, wanted), () => {
          const lent = simulation.lend({ instanceId, command: ++door.lastCommand }, account, held, wanted)
          if (lent !== undefined) return lent
          const state = simulation.stateOf(instanceId, account)
          return state === undefined ? { fenced: true } : { state }
        })
      }
      case 5:
        return step(`give back beyond ${held}`, door.leases.giveBack(account, held), () =>
          simulation.giveBack({ instanceId, command: ++door.lastCommand }, account, held),
        )
      case 6:
        if (random() < 0.5)
          return step('unregister', authority.unregister(instanceId), () => simulation.unregister(instanceId))
        return step('close', door.leases.close(account), () =>
          simulation.close({ instanceId, command: ++door.lastCommand }, account),
        )
      case 7: {
        const call = openCall(instanceId, account, uuid(seed * 100_000 + calls++), BigInt(upTo(90)))
        noted.push(call)
        return step('note', writeOpenTo(database)(instanceId, [call]), () => simulation.writeNotes(instanceId, [call]))
      }
      case 8: {
        // A new batch, or an old one once more.
        const old = batches[upTo(batches.length)]
        const batch = old ?? newBatch(instanceId, account)
        if (old === undefined) batches.push(batch)
        return step(`write batch ${batch.number}`, write(batch), () => simulation.writeBatch(batch, 0))
      }
      case 9: {
        const some = batches.filter((batch) => batch.instanceId === instanceId && random() < 0.7)
        return step(`unfold ${some.length}`, unfold(some), () => simulation.unfold(some))
      }
      case 10: {
        const batch = batches[upTo(batches.length)]
        if (batch === undefined) return step('nothing', Promise.resolve(), () => undefined)
        if (simulation.instances.has(batch.instanceId))
          return random() < 0.9
            ? step('unfold one', unfold([batch]), () => simulation.unfold([batch]))
            : step('set aside', setAsideIn(database)(batch, 'test'), () => simulation.setAside(batch))
        return step('write late', writeLateTo(database)(batch), () => simulation.writeLate(batch))
      }
      default:
        if (random() < 0.5) return step('nothing', Promise.resolve(), () => undefined)
        doors.delete(instanceId)
        return step('expire', expireInstance(database, instanceId), () => simulation.expire(instanceId, 0))
    }
  }

  const newBatch = (instanceId: Uuid, account: Account): PackedBatch => {
    const used = upTo(40)
    const ending = random() < 0.6 ? noted[upTo(noted.length)] : undefined
    const call = ending ?? openCall(instanceId, account, uuid(seed * 100_000 + calls++), 90n)
    const counts = random() < 0.8
    const event: Omit<UsageEvent, 'charge'> & { charge: string; uses: unknown } = {
      ...call.facts,
      attempt: 1,
      endsCall: counts || random() < 0.5,
      outcome: counts ? 'answered' : 'host_error',
      hostStatus: 200,
      firstByteMs: 1,
      durationMs: 2,
      deployment: 'east',
      region: 'us-east',
      requests: counts ? 1 : 0,
      inputTokens: counts ? used : 0,
      outputTokens: 0,
      inferences: 0,
      usageSource: 'host',
      charge: '0',
      uses: counts && used > 0 ? [{ budget: account.budget, periodStart, used: String(used) }] : [],
    }
    const ended = ending === undefined ? [] : [{ tenantId: account.tenantId, requestId: call.facts.requestId }]
    const number = batches.length + 1
    return { instanceId, lane: upTo(1), number, events: JSON.stringify([event]), ended: JSON.stringify(ended) }
  }

  return { simulation, next }
}

interface Door {
  readonly leases: LeaseAuthority
  lastCommand: number
}

const openCall = (instanceId: Uuid, account: Account, requestId: Uuid, atExpiry: bigint): OpenCall => ({
  facts: {
    tenantId: account.tenantId,
    requestId,
    instanceId,
    startedAt: instant(Date.UTC(2026, 6, 15)),
    operation: 'chat',
    streamed: false,
    license: account.license,
    licenseRevision: 1,
    facility: 'main',
    application: 'ehr',
    keyId: 'key-1',
    audience: 'clinician',
    purpose: 'TREAT',
    model: 'clinical-assistant',
    version: '1.0.0',
    plan: 'standard',
    planRevision: 1,
    currency: 'USD',
    policies: [],
  },
  bound: { inputTokens: Number(atExpiry), outputTokens: 0, inferences: 0 },
  deployment: 'east',
  region: 'us-east',
  holds: [{ budget: account.budget, periodStart, atExpiry: atExpiry.toString() }],
})

const attempt = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return shownError(error)
  }
}

/** The constraint that was violated: both name it. */
const shownError = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error)
  return /budget_(?:lease_)?(?:not_overdrawn|amounts_are_not_negative)/.exec(text)?.[0] ?? text
}

/** Everything that is kept, in the same words for both. */
const kept = ({ instances, accounts, leases, notes, batches, events }: SimulatedDatabase) => ({
  instances: [...instances.keys()].toSorted(),
  accounts: [...accounts.values()]
    .map(
      (row) => `${row.account.budget} ${row.limit} ${row.revision} ${row.grandfathered} ${row.settled} ${row.leased}`,
    )
    .toSorted(),
  leases: [...leases.values()]
    .map(
      ({ accountId, instanceId, amount, used, lastCommand }) =>
        `${accountId.split('|')[2]} ${instanceId} ${amount} ${used} ${lastCommand}`,
    )
    .toSorted(),
  notes: [...notes.keys()].toSorted(),
  batches: [...batches.values()].map(({ batch }) => `${batch.instanceId} ${batch.lane} ${batch.number}`).toSorted(),
  events: [...events.values()].map(shownEvent).toSorted(),
})

const shownEvent = (
  row: Pick<UsageEvent, 'requestId' | 'attempt' | 'outcome' | 'requests' | 'inputTokens' | 'charge'>,
) => `${row.requestId} ${row.attempt} ${row.outcome} ${row.requests} ${row.inputTokens} ${picos(BigInt(row.charge))}`

async function keptReally(seed: number): Promise<ReturnType<typeof kept>> {
  const license = `LIC-${seed}`
  const ours = [1, 2, 3].map((index) => uuid(seed * 1_000 + index))
  const lines = async (text: string, values: unknown[]) =>
    (await database.systemPool.query<{ line: string }>(text, values)).rows.map(({ line }) => line).toSorted()
  return {
    instances: await lines(`select instance_id::text as line from instance where instance_id = any($1)`, [ours]),
    accounts: await lines(
      `select concat_ws(' ', budget, coalesce("limit"::text, 'null'), limit_revision, grandfathered, settled, leased) as line
       from budget_account where license = $1`,
      [license],
    ),
    leases: await lines(
      `select concat_ws(' ', budget, instance_id, amount, used, last_command) as line from budget_lease
       where license = $1`,
      [license],
    ),
    notes: await lines(`select request_id::text as line from reservation where instance_id = any($1)`, [ours]),
    batches: await lines(
      `select concat_ws(' ', instance_id, lane, batch) as line from usage_batch where instance_id = any($1)`,
      [ours],
    ),
    events: await lines(
      `select concat_ws(' ', request_id, attempt, outcome, requests, input_tokens, charge_picos) as line
       from usage_event where license = $1`,
      [license],
    ),
  }
}
