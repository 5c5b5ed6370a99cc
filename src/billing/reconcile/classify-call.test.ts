import { expect, test } from 'vitest'
import { instant, picos } from '../../kernel/index.ts'
import type { PlanRevision } from '../prices.ts'
import type { CallPair, HostRow, LedgerRow } from './call-pair.ts'
import { compareCall } from './classify-call.ts'
import { skewMsMax, type CompareRules } from './compare-rules.ts'
import { callClasses, type CallClass } from './difference.ts'

const revision: PlanRevision = {
  plan: 'standard',
  revision: 1,
  currency: 'USD',
  prices: [
    { meter: 'input_tokens', per: 1_000_000, amount: '3.00' },
    { meter: 'output_tokens', per: 1_000_000, amount: '15.00' },
    { meter: 'inferences', per: 1, amount: '0.50' },
  ],
  terms: {},
  effectiveAt: instant(0),
}
const rules: CompareRules = {
  book: new Map([['standard', [revision]]]),
  served: [{ model: 'scribe', version: '1.0.0', deployment: 'east', upstreamModel: 'scribe-1' }],
}
const requestId = '0190a0e0-0000-7000-8000-000000000001'

/** 100 in and 10 out: 300 + 150 millionths of a dollar. */
const row = (change: Partial<LedgerRow> = {}): LedgerRow => ({
  book: 'here',
  requestId,
  tenantId: 'a',
  tenant: 'lakeside',
  startedAt: instant(1_000_000),
  startedAtText: 'then',
  attempt: 1,
  durationMs: 500,
  operation: 'chat',
  outcome: 'answered',
  license: 'LIC-1',
  model: 'scribe',
  version: '1.0.0',
  deployment: 'east',
  plan: 'standard',
  planRevision: 1,
  currency: 'USD',
  requests: 1,
  inputTokens: 100n,
  outputTokens: 10n,
  inferences: 0n,
  charge: picos(450_000_000n),
  correctsAttempt: undefined,
  ...change,
})
const line = (change: Partial<HostRow> = {}): HostRow => ({
  book: 'here',
  reportId: 'r',
  deployment: 'east',
  line: 2,
  requestId,
  at: instant(1_000_400),
  attempt: 1,
  model: 'scribe-1',
  version: undefined,
  inputUnits: 100n,
  outputUnits: 10n,
  status: 200,
  tenant: undefined,
  ...change,
})
const classOf = (ledger: readonly LedgerRow[], host: readonly HostRow[]): CallClass | undefined =>
  compareCall({ requestId, ledger, host }, rules).class

test('a call that both sides tell alike is no difference, whatever else was tried for it', () => {
  expect(classOf([row()], [line()])).toBeUndefined()
  expect(classOf([row()], [line({ tenant: 'lakeside', version: '1.0.0', model: 'scribe' })])).toBeUndefined()
  const failed = row({
    attempt: 1,
    outcome: 'host_error',
    requests: 0,
    inputTokens: 0n,
    outputTokens: 0n,
    charge: picos(0n),
  })
  const lost = line({ attempt: 1, status: 503, inputUnits: 0n, outputUnits: 0n })
  expect(classOf([failed, row({ attempt: 2 })], [lost, line({ attempt: 2 })])).toBeUndefined()
  expect(classOf([failed, row({ attempt: 2 })], [line({ attempt: 2 })])).toBeUndefined()
  expect(classOf([failed], [])).toBeUndefined()
  expect(classOf([], [lost])).toBeUndefined()
})

test('a predictor’s inferences are its input', () => {
  const inferred = row({
    operation: 'infer',
    inputTokens: 0n,
    outputTokens: 0n,
    inferences: 1n,
    charge: picos(500_000_000_000n),
  })
  expect(classOf([inferred], [line({ inputUnits: 1n, outputUnits: 0n })])).toBeUndefined()
  expect(classOf([inferred], [line({ inputUnits: 2n, outputUnits: 0n })])).toBe('quantity_differs')
})

const others = { tenant: 'prairie', model: 'another', inputUnits: 7n, at: instant(9_000_000) }
/** Pairs to which several classes would fit, and the one that says it. Those after it in the list would fit as well. */
const several: readonly (readonly [CallClass, readonly LedgerRow[], readonly HostRow[]])[] = [
  ['late', [row({ book: 'late' }), row({ book: 'elsewhere' })], [line(others), line(others)]],
  ['wrong_period', [row({ book: 'elsewhere' })], [line(others), line(others)]],
  ['wrong_period', [row(), row({ attempt: 2 })], [line({ book: 'elsewhere', ...others })]],
  ['missing_at_host', [row(), row({ attempt: 2, charge: picos(1n) })], []],
  ['missing_in_ledger', [], [line(others), line(others)]],
  ['duplicate', [row()], [line(others), line(others)]],
  ['duplicate', [row(), row({ attempt: 2 })], [line(others)]],
  ['wrong_tenant', [row({ outcome: 'cut' })], [line({ ...others, inputUnits: 200n })]],
  ['wrong_model', [row({ outcome: 'cut' })], [line({ ...others, tenant: undefined, inputUnits: 200n })]],
  ['unbilled_stream_cut', [row({ outcome: 'cut', charge: picos(1n) })], [line({ outputUnits: 11n, at: others.at })]],
  // More here than there was no cut.
  ['quantity_differs', [row({ outcome: 'cut', charge: picos(1n) })], [line({ outputUnits: 9n, at: others.at })]],
  ['quantity_differs', [row({ charge: picos(1n) })], [line({ outputUnits: 11n, at: others.at })]],
  ['rate_differs', [row({ charge: picos(450_000_001n) })], [line({ at: others.at })]],
  ['clock_skew', [row()], [line({ at: others.at })]],
]
test.each(several)('of all that fits, %s says it', (expected, ledger, host) => {
  expect(classOf(ledger, host)).toBe(expected)
})
test('each class of a call is tried so', () => {
  expect(new Set(several.map(([name]) => name))).toEqual(new Set(callClasses))
})

test('a clock may be five minutes off, before the beginning and after the end, and no millisecond more', () => {
  const [begun, ended] = [1_000_000, 1_000_500]
  expect(classOf([row()], [line({ at: instant(begun - skewMsMax) })])).toBeUndefined()
  expect(classOf([row()], [line({ at: instant(ended + skewMsMax) })])).toBeUndefined()
  expect(classOf([row()], [line({ at: instant(begun - skewMsMax - 1) })])).toBe('clock_skew')
  expect(classOf([row()], [line({ at: instant(ended + skewMsMax + 1) })])).toBe('clock_skew')
})

test('a call that was taken back counts for nothing, and what replaced it for all', () => {
  const wrong = row({ outputTokens: 99n, charge: picos(1_785_000_000n) })
  const back = row({
    attempt: 1000,
    requests: -1,
    inputTokens: -100n,
    outputTokens: -99n,
    charge: picos(-1_785_000_000n),
    correctsAttempt: 1,
  })
  expect(classOf([wrong, back], [])).toBeUndefined()
  expect(classOf([wrong, back], [line()])).toBe('quantity_differs')
  const right = row({ attempt: 1001, outcome: 'corrected', correctsAttempt: 1 })
  expect(classOf([wrong, back, right], [line()])).toBeUndefined()
  const pair: CallPair = { requestId, ledger: [wrong, back, right], host: [line({ outputUnits: 20n })] }
  expect(compareCall(pair, rules)).toMatchObject({
    class: 'quantity_differs',
    ours: { input: 100n, output: 10n },
    theirs: { input: 100n, output: 20n },
    oursPicos: 450_000_000n,
    theirsPicos: 600_000_000n,
  })
})
