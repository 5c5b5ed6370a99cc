import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Failure, instant } from '../kernel/index.ts'
import { accountOf, type Account, type LeaseAuthority } from './account.ts'
import { BudgetPocket, type PocketTime, type Shortage, type Turn } from './budget-pocket.ts'

const account: Account = accountOf({
  tenantId: 'tenant',
  license: 'LIC-1',
  budget: 'tokens/month',
  periodStart: instant(0),
  periodEnd: instant(1_000),
})

/** Time that only moves when a test moves it. */
class FakeTime implements PocketTime {
  #now = 0
  #timers: { at: number; wake: () => void }[] = []

  monotonicMs(): number {
    return this.#now
  }

  after(milliseconds: number, wake: () => void) {
    const timer = { at: this.#now + milliseconds, wake }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    for (;;) {
      await settled()
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#now = next.at
      this.#timers = this.#timers.filter((timer) => timer !== next)
      next.wake()
    }
    this.#now = end
    await settled()
  }
}

/** Lets every promise that can go on go on. */
const settled = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

/** The authority as a few numbers, with the same rules as the SQL. */
class FakeAuthority {
  settled = 0n
  leased = 0n
  limit: bigint | null
  readonly leases = new Map<string, { amount: bigint; used: bigint }>()
  readonly pockets: BudgetPocket[] = []
  loans = 0
  /** Answers that are lost on their way: what was asked for has happened. */
  answersLost = 0

  constructor(limit: bigint | null) {
    this.limit = limit
  }

  for(instance: string): LeaseAuthority {
    const lease = () => this.leases.get(instance) ?? { amount: 0n, used: 0n }
    return {
      open: async () => {},
      lend: async (_account, held, { needMin, need, want }) => {
        await Promise.resolve()
        this.loans++
        const beyond = lease().amount - held
        const available = this.limit === null ? want : this.limit - this.settled - this.leased + beyond
        if (available < needMin) {
          const used = [...this.leases.values()].reduce((sum, { used: part }) => sum + part, 0n)
          return { state: { limit: this.limit, settled: this.settled, leased: this.leased, used } }
        }
        const plenty = want < available / 8n ? want : available / 8n
        const wish = need > plenty ? need : plenty
        const granted = this.limit === null ? want : wish < available ? wish : available
        this.leased += granted - beyond
        this.leases.set(instance, { ...lease(), amount: held + granted })
        this.check()
        this.answer()
        return { granted }
      },
      giveBack: async (_account, held) => {
        await Promise.resolve()
        this.leased -= lease().amount - held
        this.leases.set(instance, { ...lease(), amount: held })
        this.check()
        for (const pocket of this.pockets) pocket.noticeFreed()
        this.answer()
      },
      close: async () => {
        await Promise.resolve()
        this.settled += lease().used
        this.leased -= lease().amount
        this.leases.delete(instance)
        this.check()
        for (const pocket of this.pockets) pocket.noticeFreed()
        this.answer()
      },
      announceShortage: async () => {
        for (const pocket of this.pockets) pocket.noticeShortage()
      },
    }
  }

  answer(): void {
    if (this.answersLost-- > 0) throw new Failure('database', 'the answer was lost', { retryable: true })
  }

  /** What the group commit does. */
  commit(instance: string, used: bigint): void {
    const lease = this.leases.get(instance)
    if (lease === undefined) throw new Error('a use without a lease')
    lease.used += used
    this.check()
  }

  check(): void {
    for (const { amount, used } of this.leases.values())
      if (used < 0n || used > amount) throw new Error(`budget_lease_not_overdrawn: ${used} of ${amount}`)
    if (this.limit !== null && this.settled + this.leased > this.limit) throw new Error('budget_not_overdrawn')
  }
}

const options = { waitMs: 2_000, tightMs: 5_000, waitersMax: 1_000 }

function house(limit: bigint | null, instances: number) {
  const time = new FakeTime()
  const authority = new FakeAuthority(limit)
  const pockets = Array.from({ length: instances }, (_, index) => {
    const needs = { authority: authority.for(String(index)), time, options }
    return new BudgetPocket(needs, account, { limit, revision: 1 })
  })
  authority.pockets.push(...pockets)
  return { time, authority, pockets }
}

/** One pocket, and calls of it that use all of their bound and end at once. */
function paced(limit: bigint) {
  const { time, authority, pockets } = house(limit, 1)
  const [pocket] = pockets
  if (pocket === undefined) throw new Error('no pocket')
  return {
    time,
    authority,
    pocket,
    use: async (amount: bigint) => {
      expect(await take(pocket, amount)).toBe('taken')
      pocket.end(amount, amount)
      authority.commit('0', amount)
      pocket.committed(amount)
    },
  }
}

/** A call as `reserve` makes it: look, or wait for a turn and look again. */
async function take(pocket: BudgetPocket, amount: bigint): Promise<'taken' | Shortage> {
  for (let round = 0; round < 100; round++) {
    if ((round === 0 ? pocket.freeForNewcomers : pocket.free) >= amount) {
      pocket.reserve(amount)
      return 'taken'
    }
    const turn: Turn | Shortage = await pocket.waitFor({ needMin: amount, need: amount })
    if ('held' in turn) return turn
    pocket.claim(turn)
  }
  throw new Error('a hundred turns and no place')
}

describe('a pocket of one instance', () => {
  test('admits to the last token and refuses for good when the budget is used up', async () => {
    const { authority, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    for (let call = 0; call < 10; call++) {
      expect(await take(pocket, 10n)).toBe('taken')
      pocket.end(10n, 10n)
      authority.commit('0', 10n)
      pocket.committed(10n)
    }
    expect(await take(pocket, 1n)).toEqual({ held: false, resetsAt: account.periodEnd })
  })

  test('asks the authority seldom: a busy license is served from the pocket', async () => {
    const { authority, pockets } = house(1_000_000_000n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    for (let call = 0; call < 10_000; call++) {
      expect(await take(pocket, 100n)).toBe('taken')
      pocket.end(100n, 80n)
      authority.commit('0', 80n)
      pocket.committed(80n)
    }
    expect(authority.loans).toBeLessThan(20)
  })

  test('waits for what others hold, and is served when they end below their bound', async () => {
    const { authority, time, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    expect(await take(pocket, 60n)).toBe('taken')
    const second = take(pocket, 60n)
    await time.pass(500)
    pocket.end(60n, 20n)
    authority.commit('0', 20n)
    pocket.committed(20n)
    await time.pass(200)
    expect(await second).toBe('taken')
  })

  test('refuses after the wait when what is left stays held, and says that it is held', async () => {
    const { time, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    expect(await take(pocket, 60n)).toBe('taken')
    const second = take(pocket, 60n)
    await time.pass(2_500)
    expect(await second).toEqual({ held: true, resetsAt: account.periodEnd })
  })

  test('is not closed while the database does not know yet what was used of it', async () => {
    const { authority, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    expect(await take(pocket, 10n)).toBe('taken')
    pocket.end(10n, 10n)
    expect(await pocket.closeIfIdle(0)).toBe(false)
    authority.commit('0', 10n)
    pocket.committed(10n)
    expect(await pocket.closeIfIdle(0)).toBe(true)
    expect(authority).toMatchObject({ settled: 10n, leased: 0n })
  })

  test('a loan whose answer was lost is not held: it goes back when the pocket is idle, and when it is in use', async () => {
    const { authority, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    authority.answersLost = 1
    await expect(take(pocket, 10n)).rejects.toThrow('the answer was lost')
    expect(authority.leased).toBe(12n)
    expect(await pocket.closeIfIdle(0)).toBe(true)
    expect(authority.leased).toBe(0n)

    expect(await take(pocket, 10n)).toBe('taken')
    authority.answersLost = 1
    await expect(take(pocket, 50n)).rejects.toThrow('the answer was lost')
    expect(authority.leased).toBe(60n)
    expect(await pocket.closeIfIdle(0)).toBe(false)
    expect(authority.leased).toBe(12n)
    pocket.end(10n, 0n)
  })

  test('a call that comes while an idle lease is being closed is served, also when the close fails', async () => {
    const { authority, time, pockets } = house(100n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    expect(await take(pocket, 10n)).toBe('taken')
    pocket.end(10n, 0n)
    authority.answersLost = 1
    const closing = pocket.closeIfIdle(0)
    const waiting = take(pocket, 20n)
    await expect(closing).rejects.toThrow('the answer was lost')
    await time.pass(100)
    expect(await waiting).toBe('taken')
  })

  test('is lent ahead what is used in the time to come at the pace of the last minute, and no more', async () => {
    const { pocket, authority, time, use } = paced(10_000_000n)
    // Ten a second for a minute.
    for (let call = 0; call < 600; call++) {
      await use(100n)
      await time.pass(100)
    }
    await pocket.lendAhead(300_000, 200_000)
    expect(pocket.free).toBe(300_000n)
    const { loans } = authority
    await use(100n)
    await pocket.lendAhead(300_000, 200_000)
    expect(authority.loans).toBe(loans)
    // Five minutes of it, and nobody is asked.
    for (let call = 0; call < 2_990; call++) await use(100n)
    expect(authority.loans).toBe(loans)
  })

  test('one call is no pace: it is taken for a call in ten seconds', async () => {
    const { pocket, use } = paced(10_000_000n)
    await use(100n)
    await pocket.lendAhead(400_000, 200_000)
    expect(pocket.free).toBe(4_000n)
  })

  test('nothing is lent ahead of a budget without plenty, and it is not asked for all the time', async () => {
    const { pocket, authority, time, use } = paced(20_000n)
    await use(100n)
    const [free, loans] = [pocket.free, authority.loans]
    for (let beat = 0; beat < 5; beat++) {
      await pocket.lendAhead(400_000, 200_000)
      await time.pass(4_000)
    }
    expect(pocket.free).toBe(free)
    expect(authority.loans).toBe(loans + 1)
  })

  test('nothing is lent ahead while somebody is short, nor to a pocket that nobody uses any more', async () => {
    const { pocket, authority, time, use } = paced(10_000_000n)
    await use(100n)
    const { loans } = authority
    pocket.noticeShortage()
    await time.pass(4_000)
    await pocket.lendAhead(400_000, 200_000)
    expect(authority.leased).toBe(100n)
    await time.pass(200_000)
    await pocket.lendAhead(400_000, 200_000)
    expect(authority.loans).toBe(loans)
    await use(100n)
    const again = authority.loans
    await pocket.lendAhead(400_000, 200_000)
    expect(authority.loans).toBe(again + 1)
  })

  test('a call that comes while a loan ahead is asked for is served, also when its answer is lost', async () => {
    const { pocket, authority, time, use } = paced(10_000_000n)
    await use(100n)
    authority.answersLost = 1
    const lending = pocket.lendAhead(400_000, 200_000)
    const waiting = take(pocket, 5_000n)
    await lending
    await time.pass(100)
    expect(await waiting).toBe('taken')
    authority.check()
    // What the lost answer had lent is known again with the next one.
    expect(authority.leases.get('0')?.amount).toBe(pocket.free + 5_000n + 100n)
  })

  test('a lowered limit holds at once for what is free, and a raised one lets waiting calls in', async () => {
    const { authority, time, pockets } = house(1_000n, 1)
    const [pocket] = pockets
    if (pocket === undefined) throw new Error('no pocket')
    expect(await take(pocket, 10n)).toBe('taken')
    authority.limit = 10n + authority.leased
    pocket.retarget({ limit: 10n, revision: 2 })
    await time.pass(10)
    expect(pocket.free).toBe(0n)
    authority.limit = 10n
    const waiting = take(pocket, 5n)
    await time.pass(100)
    authority.limit = 100n
    pocket.retarget({ limit: 100n, revision: 3 })
    await time.pass(200)
    expect(await waiting).toBe('taken')
  })
})

describe('pockets of several instances', () => {
  test('what lies idle in one is given to another that is short', async () => {
    const { time, authority, pockets } = house(1_000n, 2)
    const [one, two] = pockets
    if (one === undefined || two === undefined) throw new Error('no pockets')
    expect(await take(one, 10n)).toBe('taken')
    const all = take(two, 990n)
    await time.pass(100)
    expect(await all).toBe('taken')
    authority.check()
  })

  test('pieces too small for a call, one in each of several waiting pockets, come together and serve one', async () => {
    const { time, authority, pockets } = house(100n, 2)
    const [one, two] = pockets
    if (one === undefined || two === undefined) throw new Error('no pockets')
    // Each ends with a rest of 20 that it holds while somebody waits in it for 40.
    for (const [index, pocket] of [one, two].entries()) {
      expect(await take(pocket, 50n)).toBe('taken')
      pocket.end(50n, 30n)
      authority.commit(String(index), 30n)
      pocket.committed(30n)
    }
    const waiting = [take(one, 40n), take(two, 40n)]
    await time.pass(12_000)
    const outcomes = await Promise.all(waiting)
    expect(outcomes.filter((outcome) => outcome === 'taken')).toHaveLength(1)
    authority.check()
  })

  test('whatever calls come, end and fail where they will: never overdrawn, nothing lost, everything free at the end', async () => {
    const Call = fc.record({
      pocket: fc.nat({ max: 2 }),
      bound: fc.bigInt(1n, 40n),
      usedShare: fc.nat({ max: 100 }),
      endsAfterMs: fc.nat({ max: 3_000 }),
      startsAtMs: fc.nat({ max: 3_000 }),
      commitsLaterMs: fc.nat({ max: 100 }),
    })
    const Beat = fc.record({
      pocket: fc.nat({ max: 2 }),
      atMs: fc.nat({ max: 6_000 }),
      aheadMs: fc.nat({ max: 30_000 }),
    })
    const Limit = fc.oneof(fc.bigInt(0n, 600n), fc.bigInt(600n, 6_000n))
    await fc.assert(
      fc.asyncProperty(Limit, fc.array(Call, { maxLength: 60 }), fc.array(Beat), async (limit, calls, beats) => {
        const { time, authority, pockets } = house(limit, 3)
        let reserved = 0n
        let used = 0n
        let released = 0n
        let refusedFinally = 0
        for (const { pocket, atMs, aheadMs } of beats)
          time.after(atMs, () => void pockets[pocket]?.lendAhead(aheadMs, 1_000))
        const running = calls.map(async (call) => {
          await new Promise<void>((resolve) => time.after(call.startsAtMs, resolve))
          const pocket = pockets[call.pocket]
          if (pocket === undefined) throw new Error('no pocket')
          const outcome = await take(pocket, call.bound)
          if (outcome !== 'taken') {
            // A final refusal is true: what was used and this call do not fit together.
            if (!outcome.held) {
              refusedFinally++
              expect(used + call.bound).toBeGreaterThan(limit)
            }
            return
          }
          reserved += call.bound
          await new Promise<void>((resolve) => time.after(call.endsAfterMs, resolve))
          const spent = (call.bound * BigInt(call.usedShare)) / 100n
          used += spent
          released += call.bound - spent
          pocket.end(call.bound, spent)
          await new Promise<void>((resolve) => time.after(call.commitsLaterMs, resolve))
          authority.commit(String(call.pocket), spent)
          pocket.committed(spent)
        })
        await time.pass(12_000)
        await Promise.all(running)
        expect(used + released).toBe(reserved)
        expect(used).toBeLessThanOrEqual(limit)
        await time.pass(60_000)
        for (const pocket of pockets) expect(await pocket.closeIfIdle(1_000)).toBe(true)
        expect(authority.settled).toBe(used)
        expect(authority.leased).toBe(0n)
        return refusedFinally >= 0
      }),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    )
  }, 60_000)
})
