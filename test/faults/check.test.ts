import { expect, test } from 'vitest'
import { check, type Rule } from './check.ts'
import type { AccountRow, CallSeen, Evidence, HostSaid, LeaseRow, LedgerRow } from './evidence.ts'

const idOf = (index: number) => `req_${String(index).padStart(4, '0')}`
const now = Date.UTC(2026, 10, 24)

const call = (index: number, change: Partial<CallSeen> = {}): CallSeen => ({
  tenant: 'prairie',
  application: 'trial',
  operation: 'chat',
  streamed: true,
  bytes: 300,
  outputMax: 20,
  status: 200,
  code: undefined,
  retryAfter: undefined,
  requestId: idOf(index),
  isWhole: true,
  hasLeft: false,
  pieces: 10,
  usage: { input: 50, output: 10 },
  milliseconds: 20,
  gatewayDied: false,
  wrongClock: false,
  ...change,
})
const said = (index: number): HostSaid => ({
  requestId: idOf(index),
  attempt: 1,
  inputTokens: 50,
  outputTokens: 10,
  finished: 'complete',
})
const row = (index: number, change: Partial<LedgerRow> = {}): LedgerRow => ({
  tenant: 'prairie',
  application: 'trial',
  license: 'LIC-PRAIRIE',
  requestId: idOf(index),
  attempt: 1,
  startedAtMs: now,
  operation: 'chat',
  outcome: 'answered',
  usageSource: 'host',
  requests: 1n,
  inputTokens: 50n,
  outputTokens: 10n,
  inferences: 0n,
  chargePicos: 50n * 3_000_000n + 10n * 15_000_000n,
  ...change,
})
const key = { tenant: 'prairie', license: 'LIC-PRAIRIE', budget: 'tokens/month', periodStartMs: Date.UTC(2026, 10) }
const account = (change: Partial<AccountRow> = {}): AccountRow => ({
  ...key,
  periodEndMs: Date.UTC(2026, 11),
  ceiling: 10_000n,
  settled: 1_000n,
  leased: 0n,
  ...change,
})
const lease = (change: Partial<LeaseRow> = {}): LeaseRow => ({ ...key, amount: 60n, used: 60n, ...change })

const allowance = (tokens: bigint): Evidence['allowances'] => [
  { tenant: 'prairie', tokens, usedBefore: new Map([['2026-11', 1_000n]]) },
]

/** Ten calls, each of 50 + 10 tokens, of a budget that had 1,000 used before. */
const ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
const sound: Evidence = {
  calls: ten.map((index) => call(index)),
  host: ten.map(said),
  ledger: ten.map((index) => row(index)),
  before: { accounts: [account()], leases: [] },
  after: { accounts: [account({ settled: 1_540n, leased: 60n })], leases: [lease()] },
  openCalls: [],
  batchesWaiting: 0,
  batchesRefused: 0,
  spools: 0,
  hostMayLie: false,
  allowances: allowance(1_600n),
}

const rulesIn = (evidence: Evidence): readonly Rule[] =>
  [...new Set(check(evidence).map(({ rule }) => rule))].toSorted()
const replaced = <T>(all: readonly T[], index: number, by: (old: T) => T): readonly T[] =>
  all.map((old, at) => (at === index ? by(old) : old))
const withRow = (change: Partial<LedgerRow>): Evidence => ({
  ...sound,
  ledger: replaced(sound.ledger, 3, (old) => ({ ...old, ...change })),
})
const withCall = (change: Partial<CallSeen>): Evidence => ({
  ...sound,
  calls: replaced(sound.calls, 3, (old) => ({ ...old, ...change })),
})
const withAccount = (change: Partial<AccountRow>, leases: readonly LeaseRow[] = [lease()]): Evidence => ({
  ...sound,
  after: { accounts: [account({ settled: 1_540n, leased: 60n, ...change })], leases },
})

test('books that are in order are found in order', () => {
  expect(check(sound)).toEqual([])
})

/** It expired at 300 + 20 tokens, and then its process told what it had delivered. */
const toldLate: Evidence = {
  ...withAccount({ settled: 1_800n }),
  ledger: [
    ...replaced(sound.ledger, 3, (old) => ({ ...old, requests: 0n })),
    row(3, {
      attempt: 0,
      outcome: 'expired',
      usageSource: 'bound',
      inputTokens: 300n,
      outputTokens: 20n,
      chargePicos: 0n,
    }),
  ],
  allowances: allowance(1_860n),
}

const planted: readonly (readonly [fault: string, evidence: Evidence, rules: readonly Rule[]])[] = [
  ['a row is dropped', { ...sound, ledger: sound.ledger.slice(1) }, ['budget_differs', 'lost']],
  [
    'a row is dropped, and the budget with it',
    { ...withAccount({ settled: 1_480n }), ledger: sound.ledger.slice(1) },
    ['lost'],
  ],
  [
    'a row stands twice, as the same attempt',
    { ...withAccount({ settled: 1_600n }), ledger: [...sound.ledger, row(3)], allowances: [] },
    ['doubled'],
  ],
  [
    'a call is settled, and expired as well',
    {
      ...sound,
      ledger: [...sound.ledger, row(3, { attempt: 0, outcome: 'expired', usageSource: 'bound', chargePicos: 0n })],
      allowances: [],
    },
    ['doubled'],
  ],
  [
    'a call is charged in two attempts',
    {
      ...withAccount({ settled: 1_600n }),
      host: [...sound.host, { ...said(3), attempt: 2 }],
      ledger: [...sound.ledger, row(3, { attempt: 2, requests: 0n })],
      allowances: [],
    },
    ['doubled'],
  ],
  ['the budget counts a call twice', withAccount({ settled: 1_600n }), ['budget_differs']],
  ['the budget forgets a call', withAccount({ settled: 1_480n }), ['budget_differs']],
  [
    'tokens are changed by one',
    withRow({ outputTokens: 11n, chargePicos: 50n * 3_000_000n + 11n * 15_000_000n }),
    ['budget_differs', 'overspent', 'tokens_differ'],
  ],
  [
    'fewer tokens than the client has received',
    withRow({ outputTokens: 9n, chargePicos: 50n * 3_000_000n + 9n * 15_000_000n }),
    ['budget_differs', 'tokens_differ', 'under_recorded'],
  ],
  ['an estimate stands for what the host said', withRow({ usageSource: 'estimated' }), ['tokens_differ']],
  [
    'more tokens than the call may use',
    withRow({ outputTokens: 21n, chargePicos: 50n * 3_000_000n + 21n * 15_000_000n }),
    ['above_bound', 'budget_differs', 'overspent', 'tokens_differ'],
  ],
  ['the charge is one pico too high', withRow({ chargePicos: 300_000_001n }), ['charge_differs']],
  ['the row is of another tenant', withRow({ tenant: 'lakeside' }), ['budget_differs', 'wrong_tenant']],
  ['the row is of another application', withRow({ application: 'portal' }), ['wrong_tenant']],
  ['received whole, and the row says that the host closed', withRow({ outcome: 'host_closed' }), ['wrong_outcome']],
  [
    'an expired call is charged',
    { ...withRow({ attempt: 0, outcome: 'expired' }), calls: [] },
    ['expired_row_charged'],
  ],
  ['a row of what nobody served', { ...sound, host: sound.host.slice(1) }, ['row_without_service']],
  [
    'a part was received, the gateway lives, and nothing is written',
    {
      ...withAccount({ settled: 1_480n }),
      calls: replaced(sound.calls, 0, (old) => ({ ...old, isWhole: false })),
      ledger: sound.ledger.slice(1),
    },
    ['unrecorded_part'],
  ],
  ['a hold is left', withAccount({ leased: 61n }, [lease({ amount: 61n })]), ['held']],
  ['a lease is lost', withAccount({ leased: 120n }), ['held', 'lease_differs']],
  ['the account is overdrawn', withAccount({ ceiling: 1_599n }), ['overdrawn']],
  ['a lease is overdrawn', withAccount({}, [lease({ used: 61n })]), ['budget_differs', 'held', 'overdrawn']],
  ['more is spent than was allowed', { ...sound, allowances: allowance(1_599n) }, ['overspent']],
  ['a call stays in flight', { ...sound, openCalls: ['req_0003'] }, ['open_call']],
  ['a batch is never unfolded', { ...sound, batchesWaiting: 1 }, ['batch_waiting']],
  ['a spool is never replayed', { ...sound, spools: 1 }, ['batch_waiting']],
  ['a batch is put aside', { ...sound, batchesRefused: 1 }, ['batch_refused']],
  ['our outage is told as a wrong key', withCall({ status: 401, code: 'invalid_api_key' }), ['false_refusal']],
  ['a bug is shown', withCall({ status: 500, code: 'internal_error' }), ['false_refusal']],
  ['a license is taken for not begun', withCall({ status: 403, code: 'license_not_started' }), ['false_refusal']],
  ['503 without a time', withCall({ status: 503, code: 'unavailable' }), ['no_retry_after']],
  [
    'of a call that expired, a part is not in the budget, and nobody has told of its end',
    {
      ...withAccount({ settled: 1_700n }),
      ledger: toldLate.ledger.filter(
        ({ requestId, outcome }) => requestId !== row(3).requestId || outcome === 'expired',
      ),
      allowances: toldLate.allowances,
      calls: replaced(sound.calls, 3, (old) => ({ ...old, isWhole: false, gatewayDied: true })),
      host: replaced(sound.host, 3, (old) => ({ ...old, finished: 'cut' })),
    },
    ['budget_differs'],
  ],
  ['a caller waits for ever', withCall({ milliseconds: 26_000 }), ['hung']],
]
test.each(planted)('planted: %s', (_, evidence, rules) => {
  expect(rulesIn(evidence)).toEqual(rules)
})

const tolerated: readonly (readonly [what: string, evidence: Evidence])[] = [
  ['an outage that says when to come again', withCall({ status: 503, code: 'unavailable', retryAfter: '2' })],
  [
    'a part that was received from a process that was killed before its note was written',
    {
      ...withAccount({ settled: 1_480n }),
      calls: replaced(sound.calls, 0, (old) => ({ ...old, isWhole: false, gatewayDied: true })),
      ledger: sound.ledger.slice(1),
    },
  ],
  [
    'a call that expired at its bound, uncharged, of which the host knows nothing',
    {
      ...withRow({ attempt: 0, outcome: 'expired', usageSource: 'bound', chargePicos: 0n }),
      calls: replaced(sound.calls, 3, (old) => ({ ...old, isWhole: false, gatewayDied: true })),
      host: sound.host.filter((_, index) => index !== 3),
    },
  ],
  [
    'a license that has not begun by a clock that was stepped back',
    withCall({ status: 403, code: 'license_not_started', wrongClock: true }),
  ],
  ['a call that expired, and of which its process told later', toldLate],
  [
    'of a call whose end lay in a spool when it expired, what had been given back',
    { ...withAccount({ settled: 1_700n }), ledger: toldLate.ledger, allowances: toldLate.allowances },
  ],
  [
    'an estimate where the host said what cannot be',
    { ...withRow({ usageSource: 'estimated' }), ...withUsage({ input: 999_999_999, output: 999_999_999 }) },
  ],
]
function withUsage(usage: CallSeen['usage']): Pick<Evidence, 'calls' | 'hostMayLie'> {
  return { calls: replaced(sound.calls, 3, (old) => ({ ...old, usage })), hostMayLie: true }
}
test.each(tolerated)('no finding: %s', (_, evidence) => {
  expect(check(evidence)).toEqual([])
})
