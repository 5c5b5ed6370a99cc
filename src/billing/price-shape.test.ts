import { expect, test } from 'vitest'
import { comparePrice, priceAt, shapeOf, type PriceShape } from './price-shape.ts'
import { FacilityPrice, UsagePrice } from './prices.ts'

const usage = (more: object) => UsagePrice.parse({ meter: 'input_tokens', per: 1_000_000, amount: '3.00', ...more })
const steps = [{ from: 101, amount: '2.00' }]

test('prices of a plan in the forms that Stripe has', () => {
  const shape = (price: UsagePrice | FacilityPrice) => shapeOf(price, 'USD')
  expect(shape(usage({}))).toEqual({ kind: 'per_unit', amount: '0.0003' })
  expect(shapeOf(usage({ amount: '3' }), 'JPY')).toEqual({ kind: 'per_unit', amount: '0.000003' })
  expect(shape(FacilityPrice.parse({ meter: 'facility', per: 'month', amount: '500.00' }))).toEqual({
    kind: 'per_unit',
    amount: '50000',
  })
  expect(shape(usage({ per: 1000, package: true }))).toEqual({ kind: 'package', per: 1000, amount: '300' })
  expect(shape(usage({ included: 50 }))).toEqual({
    kind: 'tiered',
    mode: 'graduated',
    tiers: [
      { upTo: 50, amount: '0' },
      { upTo: null, amount: '0.0003' },
    ],
  })
  expect(shape(usage({ included: 50, tiers: 'graduated', steps }))).toMatchObject({
    tiers: [{ upTo: 50 }, { upTo: 150, amount: '0.0003' }, { upTo: null, amount: '0.0002' }],
  })
  expect(shape(usage({ tiers: 'volume', steps }))).toMatchObject({ mode: 'volume', tiers: [{ upTo: 100 }, {}] })
})

test('what Stripe has no price for has none', () => {
  expect(shapeOf(usage({ included: 50, package: true }), 'USD')).toBeUndefined()
  expect(shapeOf(usage({ included: 50, tiers: 'volume', steps }), 'USD')).toBeUndefined()
})

const cents = (shape: PriceShape, quantity: bigint) => Number(priceAt(shape, quantity)) / 1e12
test('a quantity is priced unit by unit, by whole packages, step by step, or all alike', () => {
  expect(cents({ kind: 'per_unit', amount: '0.5' }, 7n)).toBe(3.5)
  expect([0n, 1n, 10n, 11n].map((units) => cents({ kind: 'package', per: 10, amount: '4' }, units))).toEqual([
    0, 4, 4, 8,
  ])
  const tiers = [
    { upTo: 10, amount: '3' },
    { upTo: null, amount: '2' },
  ]
  expect([10n, 15n].map((units) => cents({ kind: 'tiered', mode: 'graduated', tiers }, units))).toEqual([30, 40])
  expect([10n, 15n].map((units) => cents({ kind: 'tiered', mode: 'volume', tiers }, units))).toEqual([30, 30])
})

test('another amount is another rate; the same amount, rounded otherwise, is rounding', () => {
  const line = { line: '1', lookupKey: 'k', quantity: 5n, exactPicos: 25_000_000_000n, amountMinor: 2n }
  expect(comparePrice(line, { kind: 'per_unit', amount: '0.5' }, 'USD')).toEqual([
    { line: '1', class: 'rounding', here: '2', there: '3' },
  ])
  expect(comparePrice({ ...line, amountMinor: 3n }, { kind: 'per_unit', amount: '0.5' }, 'USD')).toEqual([])
  expect(comparePrice(line, { kind: 'per_unit', amount: '0.6' }, 'USD')).toEqual([
    { line: '1', class: 'rate_differs', here: '2.5', there: '3' },
  ])
})
