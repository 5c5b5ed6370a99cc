// What a budget's one row has to bear as the instances that share it grow in number: `npm run simulate:instances`. The
// product's own pockets against the simulated database, which is held to Postgres by against-postgres.test.ts; simulated
// are the clock, the network (2 ms each way) and the calls. One license, a thousand calls a second over all instances.
import { instant } from '../../src/kernel/index.ts'
import { accountOf, BudgetPocket, type LeaseAuthority } from '../../src/quota/index.ts'
import { seeded } from '../support/seeded.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedDatabase } from './simulated-database.ts'

const counts = (process.argv[2] ?? '1,10,100,1000').split(',').map(Number)
const callsPerSecond = 1_000
const seconds = 60
const networkMs = 2
/** A call reserves its upper bound, and mostly uses a third of it. */
const bound = 600n
const used = 200n
const callMs = 1_500
const tightMs = 5_000
const leaseMs = 420_000

interface Outcome {
  readonly calls: number
  readonly waited: number
  readonly refused: number
  readonly statements: Readonly<Record<string, number>>
  /** Of the account's row, in the busiest second. */
  readonly busiest: number
  /** Part of the budget that was used up when the first call was refused for good. */
  readonly usedAtRefusal: number | undefined
}

for (const [name, share] of [
  ['a budget of which a fifth is used', 5n],
  ['a budget that is used up halfway', undefined],
] as const) {
  process.stdout.write(`${name}\n`)
  const total = BigInt(callsPerSecond * seconds) * used
  for (const instances of counts)
    process.stdout.write(
      `${inWords(instances, await run(instances, share === undefined ? total / 2n : total * share))}\n`,
    )
}

function inWords(instances: number, { calls, waited, refused, statements, busiest, usedAtRefusal }: Outcome): string {
  const each = Object.entries(statements).map(([kind, count]) => `${kind} ${(count / calls).toFixed(4)}`)
  const atTheEnd =
    usedAtRefusal === undefined ? '' : `; ${(100 * usedAtRefusal).toFixed(2)} % used at the first refusal`
  return (
    `  ${String(instances).padStart(5)} instances: ${calls} calls, ${waited} waited, ${refused} refused; ` +
    `statements per call: ${each.join(', ')}; at most ${busiest} in a second${atTheEnd}`
  )
}

async function run(instances: number, limit: bigint): Promise<Outcome> {
  const scheduler = new Scheduler()
  const database = new SimulatedDatabase()
  const random = seeded(instances)
  const account = accountOf({
    tenantId: 'tenant',
    license: 'LIC-1',
    budget: 'tokens/month',
    periodStart: instant(0),
    periodEnd: instant(1_000_000_000),
  })
  const statements: Record<string, number> = { lend: 0, state: 0, 'give-back': 0, close: 0, announce: 0 }
  const perSecond = new Map<number, number>()
  const ask = <T>(kind: string, execute: () => T): Promise<T> =>
    new Promise((resolve) => {
      scheduler.after(networkMs, () => {
        statements[kind] = (statements[kind] ?? 0) + 1
        const second = Math.floor(scheduler.now / 1_000)
        perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
        const answer = execute()
        scheduler.after(networkMs, () => resolve(answer))
      })
    })
  const pockets: BudgetPocket[] = []
  const tell = (what: (pocket: BudgetPocket) => void, but: number) =>
    scheduler.after(networkMs, () => pockets.forEach((pocket, index) => index !== but && what(pocket)))
  const authorityOf = (index: number, instanceId: string): LeaseAuthority => {
    let command = 0
    return {
      open: (asked, known) => ask('open', () => database.open(instanceId, asked, known)),
      async lend(asked, held, wanted) {
        const number = ++command
        const lent = await ask('lend', () => database.lend({ instanceId, command: number }, asked, held, wanted))
        if (lent !== undefined) return lent
        const state = await ask('state', () => database.stateOf(instanceId, asked))
        return state === undefined ? { fenced: true } : { state }
      },
      giveBack(asked, held) {
        const number = ++command
        return ask('give-back', () => {
          database.giveBack({ instanceId, command: number }, asked, held)
          tell((pocket) => pocket.noticeFreed(), index)
        })
      },
      close(asked) {
        const number = ++command
        return ask('close', () => database.close({ instanceId, command: number }, asked))
      },
      announceShortage: () => ask('announce', () => void tell((pocket) => pocket.noticeShortage(), index)),
    }
  }
  const time = {
    monotonicMs: () => scheduler.now,
    after: (milliseconds: number, wake: () => void) => scheduler.after(milliseconds, wake),
  }
  for (let index = 0; index < instances; index++) {
    const instanceId = `instance-${index}`
    database.register(instanceId, Number.POSITIVE_INFINITY)
    pockets.push(
      new BudgetPocket(
        { authority: authorityOf(index, instanceId), time, options: { waitMs: 10_000, tightMs, waitersMax: 2_000 } },
        account,
        { limit, revision: 1 },
      ),
    )
    // As the lender does with every sign of life.
    const beat = async () => {
      scheduler.after(4_000, () => void beat())
      await pockets[index]?.closeIfIdle(leaseMs / 2)
      await pockets[index]?.lendAhead(leaseMs, leaseMs / 2)
    }
    scheduler.after(4_000 * random(), () => void beat())
  }

  const outcome = { calls: 0, waited: 0, refused: 0, usedAtRefusal: undefined as number | undefined }
  const usedUp = (): bigint => (database.accounts.get(account.id)?.settled ?? 0n) + database.usedInLeases(account.id)
  const call = async (index: number): Promise<void> => {
    const pocket = pockets[index]
    if (pocket === undefined) return
    outcome.calls++
    if (pocket.freeForNewcomers < bound) {
      outcome.waited++
      const turn = await pocket.waitFor({ needMin: bound, need: bound })
      if (!('promised' in turn)) {
        outcome.refused++
        outcome.usedAtRefusal ??= turn.held ? undefined : Number(usedUp()) / Number(limit)
        return
      }
      pocket.claim(turn)
    }
    pocket.reserve(bound)
    scheduler.after(callMs, () => {
      // The end of the call is safe: its row, its use and the rest of its hold.
      pocket.end(bound, used)
      const lease = database.leases.get(`instance-${index} ${account.id}`)
      if (lease !== undefined) lease.used += used
      pocket.committed(used)
    })
  }
  const next = () => {
    if (scheduler.now >= seconds * 1_000) return
    void call(Math.floor(random() * instances))
    scheduler.after((-Math.log(1 - random()) * 1_000) / callsPerSecond, next)
  }
  next()
  while (scheduler.now < seconds * 1_000 && scheduler.step())
    await new Promise<void>((resolve) => void setImmediate(resolve))
  return { ...outcome, statements, busiest: Math.max(0, ...perSecond.values()) }
}
