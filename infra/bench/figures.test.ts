import { expect, test } from 'vitest'
import { figuresOf, median, type Measured } from './figures.ts'

const slice = (callsPerSecond: number, totalMs: readonly number[], cpuMs?: number): Measured => ({
  callsPerSecond,
  totalMs: Float32Array.from(totalMs),
  firstByteMs: Float32Array.from(totalMs),
  answered: totalMs.length,
  refused: 0,
  refusal: undefined,
  clientBusy: 0.5,
  cpuMs,
  databaseCpuMs: undefined,
})

const times = (count: number, ms: number) => Array.from({ length: count }, () => ms)

test('a ratio is taken within a round, so that a slow round slows nobody', () => {
  const [host, gateway] = figuresOf(
    new Map([
      ['host', [slice(1000, [1]), slice(500, [2]), slice(1000, [1])]],
      ['formulary', [slice(400, [3]), slice(200, [6]), slice(400, [3])]],
    ]),
  )
  expect(gateway?.partOf.host).toBeCloseTo(0.4)
  expect(host?.partOf.formulary).toBeCloseTo(2.5)
  expect(gateway?.callsPerSecond).toBe(400)
  // 3 − 1, 6 − 2, 3 − 1: the median.
  expect(gateway?.addedMs.p50).toBe(2)
})

test('the tails are those of all calls of all rounds', () => {
  const [host] = figuresOf(new Map([['host', [slice(1, times(990, 1)), slice(1, times(10, 50))]]]))
  expect(host?.totalMs.p99).toBe(1)
  const [worse] = figuresOf(new Map([['host', [slice(1, times(989, 1)), slice(1, times(11, 50))]]]))
  expect(worse?.totalMs.p99).toBe(50)
})

test('a tail that one call decides is not told', () => {
  const [few] = figuresOf(new Map([['host', [slice(1, times(150, 1))]]]))
  expect([few?.totalMs.p99, few?.totalMs.p999]).toEqual([undefined, undefined])
})

test('repeats that are more than a tenth from their median are told', () => {
  const [apart] = figuresOf(new Map([['host', [slice(100, [1]), slice(100, [1]), slice(80, [1])]]]))
  expect(apart?.spread).toBeCloseTo(0.2)
})

test('CPU per call counts every call that was answered', () => {
  const [host] = figuresOf(new Map([['host', [slice(1, times(100, 1), 10), slice(1, times(300, 1), 30)]]]))
  expect(host?.cpuMicrosPerCall).toBe(100)
})

test('the median of an even number lies between', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})
