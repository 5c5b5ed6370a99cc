import { expect, test } from 'vitest'
import { parseMonth } from '../../src/billing/index.ts'
import { callsOf } from './calls.ts'

test.each(['2026-02', '2026-10', '2028-02'])('the calls of %s lie inside of it, in the order of time', (text) => {
  const period = parseMonth(text)
  if (period === undefined) throw new Error('no month')
  const times = callsOf(period).map(({ at }) => at)
  expect(times.every((at) => at >= period.start && at < period.end)).toBe(true)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times.length).toBe(5 * new Date(period.end - 1).getUTCDate())
})
