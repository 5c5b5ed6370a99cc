import { describe, expect, test } from 'vitest'
import { RatePocket, type RateStore } from './rate-pocket.ts'

/** A shared count of one window of a minute, and a clock that a test moves. */
function sharedCount(limit: number) {
  let now = 1_000
  let endsAt = 0
  let count = 0
  const store: RateStore = {
    async take({ points }) {
      await Promise.resolve()
      if (now >= endsAt) [count, endsAt] = [0, now + 60_000]
      if (count + points > limit) return { taken: false, left: limit - count, endsInMs: endsAt - now }
      count += points
      return { taken: true, left: limit - count, endsInMs: endsAt - now }
    },
    async giveBack({ points }) {
      count -= points
    },
  }
  const time = { monotonicMs: () => now, after: () => ({ cancel: () => {} }) }
  return {
    pocket: (options: { exact: boolean }) => new RatePocket({ store, time, ...options }, 'key', limit),
    pass: (milliseconds: number) => void (now += milliseconds),
    taken: () => count,
  }
}

const one = { needMin: 1, need: 1 }

describe('a pocket of an instance that lives for many calls', () => {
  test('takes ahead, and is not over before its window has ended', async () => {
    const { pocket: open, pass, taken } = sharedCount(160)
    const pocket = open({ exact: false })
    expect(pocket.isOver).toBe(false)
    const asked = pocket.waitFor(one)
    expect(pocket.isOver).toBe(false)
    await asked
    expect([taken(), pocket.free, pocket.isOver]).toEqual([10, 10, false])
    pass(60_000)
    expect([pocket.free, pocket.isOver]).toEqual([0, true])
  })

  test('is not over while it asks for its next window', async () => {
    const { pocket: open, pass } = sharedCount(160)
    const pocket = open({ exact: false })
    await pocket.waitFor(one)
    pass(60_000)
    const asked = pocket.waitFor(one)
    expect(pocket.isOver).toBe(false)
    await asked
    expect([pocket.isOver, pocket.free]).toEqual([false, 10])
  })
})

describe('a pocket of an instance that lives for one call', () => {
  test('takes what the call needs, and gives back what it did not use', async () => {
    const { pocket: open, taken } = sharedCount(1_000)
    const pocket = open({ exact: true })
    await pocket.waitFor({ needMin: 50, need: 100 })
    const window = pocket.reserve(100)
    expect([taken(), pocket.free]).toEqual([100, 0])
    pocket.giveBack(70, window)
    await pocket.giveBackFree()
    expect([taken(), pocket.free]).toEqual([30, 0])
  })

  test('gives nothing back to a window that has ended', async () => {
    const { pocket: open, pass, taken } = sharedCount(1_000)
    const pocket = open({ exact: true })
    await pocket.waitFor({ needMin: 50, need: 100 })
    pass(60_000)
    await pocket.giveBackFree()
    expect(taken()).toBe(100)
  })
})
