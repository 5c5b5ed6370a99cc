import { expect, test } from 'vitest'
import { Prices } from '../../src/billing/index.ts'
import { allocate, exactly, roundHalfEven } from '../../src/billing/round.ts'
import { seeded } from '../support/seeded.ts'
import { differencesOf } from './compare-case.ts'
import { describeCase, randomCase } from './random-case.ts'

test('a random period costs what an oracle in fractions says, and its lines and shares add up', () => {
  const random = seeded(20261128)
  for (let index = 0; index < 2_000; index++) {
    const one = randomCase(random)
    expect(differencesOf(one), describeCase(one)).toEqual([])
    for (const { prices } of one.plans) expect(Prices.safeParse(prices).success, describeCase(one)).toBe(true)
  }
})

test('what lies in the middle goes to the even one, below zero too', () => {
  const halves = [-3n, -1n, 1n, 3n, 5n].map((numerator) => roundHalfEven(exactly(numerator, 2n), 1n))
  expect(halves).toEqual([-2n, 0n, 0n, 2n, 2n])
})

test('a cent that is left over goes to the largest remainder, of equal ones to the first', () => {
  expect(allocate(100n, [1n, 1n, 1n], 1n)).toEqual([34n, 33n, 33n])
  expect(allocate(10n, [1n, 5n, 3n], 1n)).toEqual([1n, 6n, 3n])
})
