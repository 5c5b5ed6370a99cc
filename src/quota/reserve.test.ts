import { describe, expect, test } from 'vitest'
import { instant, picos } from '../kernel/index.ts'
import type { BudgetMeter } from '../licensing/index.ts'
import { amountIn } from './amounts.ts'
import { boundOf, type Measured } from './bound.ts'
import { periodOf } from './periods.ts'
import { RatePocket, type RateStore } from './rate-pocket.ts'

const version = {
  version: '1.0.0',
  stage: 'licensed' as const,
  contextTokens: 1_000,
  outputTokens: 400,
  recalledAt: undefined,
  regions: new Set(['us-east']),
}
const chat: Measured = {
  operation: 'chat',
  bytes: 300,
  beyondText: false,
  inputs: 1,
  choices: 1,
  outputTokensNamed: undefined,
}
const free = () => picos(0n)

describe('the bound of a call', () => {
  test('is min(bytes, context) input tokens and the clamped output for each choice', () => {
    const bound = boundOf({ ...chat, choices: 3, outputTokensNamed: 9_999 }, version, free)
    expect(bound.outputTokensWanted).toBe(400)
    expect(bound.at(400)).toMatchObject({ requests: 1, inputTokens: 300, outputTokens: 1_200 })
    expect(boundOf({ ...chat, bytes: 50_000 }, version, free).at(1)).toMatchObject({ inputTokens: 1_000 })
  })

  test('of what bytes do not bound, such as an image, is the whole context', () => {
    expect(boundOf({ ...chat, beyondText: true }, version, free).at(0).inputTokens).toBe(1_000)
  })

  test('of texts to embed lets each of them fill the context', () => {
    const bound = boundOf({ ...chat, operation: 'embeddings', bytes: 10_000, inputs: 4 }, version, free)
    expect(bound.at(0)).toMatchObject({ inputTokens: 4_000, outputTokens: 0 })
  })

  test('of an inference is one inference and no token', () => {
    const bound = boundOf({ ...chat, operation: 'infer' }, version, free)
    expect(bound.at(bound.outputTokensWanted)).toMatchObject({ inferences: 1, inputTokens: 0, outputTokens: 0 })
  })

  test('who named no maximum may get less, who named one gets that or a refusal', () => {
    expect(boundOf(chat, version, free).outputTokensUseful).toBe(256)
    expect(boundOf({ ...chat, outputTokensNamed: 300 }, version, free).outputTokensUseful).toBe(300)
  })

  test.each<[BudgetMeter | 'concurrency', bigint]>([
    ['requests', 1n],
    ['input_tokens', 300n],
    ['output_tokens', 10n],
    ['tokens', 310n],
    ['inferences', 0n],
    ['cost', 7n],
    ['concurrency', 0n],
  ])('a budget of %s counts %d of it', (meter, amount) => {
    expect(amountIn(meter, boundOf(chat, version, () => picos(7n)).at(10))).toBe(amount)
  })
})

describe('periods', () => {
  const term = { start: instant(Date.UTC(2026, 6, 1)), end: instant(Date.UTC(2027, 6, 1)) }

  test('are half-open: the last millisecond of a month is in it, the first of the next is not', () => {
    const november = { start: Date.UTC(2026, 10), end: Date.UTC(2026, 11) }
    expect(periodOf('month', term, instant(Date.UTC(2026, 11) - 1))).toEqual(november)
    expect(periodOf('month', term, instant(Date.UTC(2026, 11))).start).toBe(november.end)
  })

  test('go over the end of a year, and a leap day is a day', () => {
    expect(periodOf('month', term, instant(Date.UTC(2026, 11, 31, 23))).end).toBe(Date.UTC(2027, 0))
    expect(periodOf('day', term, instant(Date.UTC(2028, 1, 29, 12)))).toEqual({
      start: Date.UTC(2028, 1, 29),
      end: Date.UTC(2028, 2, 1),
    })
    expect(periodOf('term', term, instant(Date.UTC(2026, 10, 5)))).toEqual(term)
  })
})

/** The window of a minute, for all instances of a test. */
function sharedWindow(limit: number, time: { now: number }) {
  let taken = 0
  let endsAt = -1
  let asked = 0
  const store: RateStore = {
    async take({ points }) {
      asked++
      if (time.now >= endsAt) {
        taken = 0
        endsAt = time.now + 60_000
      }
      const fits = taken + points <= limit
      if (fits) taken += points
      return { taken: fits, left: limit - taken, endsInMs: endsAt - time.now }
    },
    async giveBack({ points }) {
      taken -= points
    },
  }
  return { store, asked: () => asked, taken: () => taken }
}

function pocketOn(store: RateStore, limit: number, time: { now: number }): RatePocket {
  const noTimer = { cancel: () => {} }
  return new RatePocket({ store, time: { monotonicMs: () => time.now, after: () => noTimer } }, 'key', limit)
}

async function takeOne(pocket: RatePocket, points: number): Promise<boolean> {
  for (let round = 0; round < 50; round++) {
    if (pocket.free >= points) {
      pocket.reserve(points)
      return true
    }
    if ('retryAfterMs' in (await pocket.waitFor({ needMin: points, need: points }))) return false
  }
  throw new Error('fifty turns and no place')
}

describe('a rate', () => {
  test('of four instances is exactly the limit in a window, whoever asks first', async () => {
    const time = { now: 0 }
    const { store } = sharedWindow(100, time)
    const pockets = Array.from({ length: 4 }, () => pocketOn(store, 100, time))
    let admitted = 0
    for (let call = 0; call < 400; call++) {
      const pocket = pockets[call % 4]
      if (pocket !== undefined && (await takeOne(pocket, 1))) admitted++
    }
    expect(admitted).toBe(100)
    time.now = 60_001
    expect(pockets[0] !== undefined && (await takeOne(pockets[0], 1))).toBe(true)
  })

  test('asks the shared count far less often than it admits', async () => {
    const time = { now: 0 }
    const window = sharedWindow(6_000, time)
    const pocket = pocketOn(window.store, 6_000, time)
    for (let call = 0; call < 3_000; call++) expect(await takeOne(pocket, 1)).toBe(true)
    expect(window.asked()).toBeLessThan(30)
  })

  test('a request larger than what is left is refused and takes nothing away from a smaller one', async () => {
    const time = { now: 0 }
    const window = sharedWindow(1_000, time)
    const pocket = pocketOn(window.store, 1_000, time)
    expect(await takeOne(pocket, 700)).toBe(true)
    expect(await takeOne(pocket, 400)).toBe(false)
    expect(await takeOne(pocket, 300)).toBe(true)
  })

  test('what a call did not use is free again in its own window, and not in the next', async () => {
    const time = { now: 0 }
    const pocket = pocketOn(sharedWindow(100, time).store, 100, time)
    expect(await takeOne(pocket, 100)).toBe(true)
    pocket.giveBack(60, 1)
    expect(await takeOne(pocket, 60)).toBe(true)
    time.now = 60_001
    expect(await takeOne(pocket, 100)).toBe(true)
    pocket.giveBack(60, 1)
    expect(await takeOne(pocket, 1)).toBe(false)
  })
})
