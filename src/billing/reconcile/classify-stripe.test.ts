import { expect, test } from 'vitest'
import { instant, picos } from '../../kernel/index.ts'
import { classifyHour, classifyLine } from './classify-stripe.ts'
import type { InvoicePair, MeterHour } from './exception.ts'

const hour = (change: Partial<MeterHour>): MeterHour => ({
  tenantId: 'a',
  tenant: 'lakeside',
  meter: 'scribe.input_tokens',
  hour: instant(0),
  ledger: 100n,
  last: { revision: 2, quantity: 100n, state: 'sent' },
  reported: [90n, 100n],
  stripe: 100n,
  ...change,
})
const last = (state: string, quantity = 100n) => ({ revision: 2, quantity, state })

test('an hour that Stripe counts as we do is no difference, however it came there', () => {
  for (const state of ['pending', 'sent', 'confirmed', 'lost', 'refused'])
    expect(classifyHour(hour({ last: last(state) }))).toBeUndefined()
  expect(classifyHour(hour({ ledger: 0n, stripe: undefined, last: undefined }))).toBeUndefined()
})

test('why an hour at Stripe is another one has one answer', () => {
  expect(classifyHour(hour({ ledger: 0n, last: undefined, reported: [] }))).toBe('manual')
  expect(classifyHour(hour({ last: undefined, reported: [], stripe: undefined }))).toBe('stripe_stale')
  for (const state of ['refused', 'too_late'])
    expect(classifyHour(hour({ last: last(state), stripe: 90n }))).toBe('stripe_rejected')
  expect(classifyHour(hour({ last: last('confirmed'), stripe: 90n }))).toBe('stripe_overwritten')
  expect(classifyHour(hour({ last: last('confirmed'), stripe: undefined }))).toBe('stripe_overwritten')
  // None of our reports ever said so.
  expect(classifyHour(hour({ stripe: 107n }))).toBe('stripe_overwritten')
  expect(classifyHour(hour({ stripe: 90n }))).toBe('stripe_stale')
  expect(classifyHour(hour({ stripe: undefined }))).toBe('stripe_stale')
  // The ledger went on after what stands there was confirmed.
  expect(classifyHour(hour({ ledger: 120n, last: last('confirmed') }))).toBe('stripe_stale')
})

test.each([
  ['USD', 10_000_000_000n],
  ['JPY', 1_000_000_000_000n],
  ['KWD', 1_000_000_000n],
])('a line in %s that is one smallest unit off is rounding, and more is a rate', (currency, unit) => {
  const pair = (change: Partial<InvoicePair>): InvoicePair => ({
    tenantId: 'a',
    license: 'LIC-1',
    invoice: 'INV-000001',
    currency,
    line: 1,
    stripeLine: 'il_1',
    ours: picos(500n * unit),
    theirs: picos(500n * unit),
    ...change,
  })
  expect(classifyLine(pair({}))).toBeUndefined()
  expect(classifyLine(pair({ theirs: picos(501n * unit) }))).toBe('rounding')
  expect(classifyLine(pair({ theirs: picos(499n * unit) }))).toBe('rounding')
  expect(classifyLine(pair({ theirs: picos(502n * unit) }))).toBe('rate_differs')
  expect(classifyLine(pair({ theirs: undefined, stripeLine: undefined }))).toBe('stripe_stale')
  expect(classifyLine(pair({ line: undefined, ours: undefined }))).toBe('manual')
})
