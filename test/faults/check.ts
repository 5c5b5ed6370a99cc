// The judge of a fault schedule. It imports nothing of src/: what it knows of the product is what an accountant would,
// who has the clients' notes, the model host's log, the ledger and the budgets before him.
import type { AccountRow, Books, CallSeen, Evidence, HostSaid, LedgerRow, LeaseRow } from './evidence.ts'

export type Rule =
  /** Received whole, and not in the ledger. */
  | 'lost'
  /** One call is charged twice, in whatever form. */
  | 'doubled'
  /** Received whole, and the ledger says something else. */
  | 'wrong_outcome'
  /** The row stands under another tenant or application. */
  | 'wrong_tenant'
  | 'tokens_differ'
  /** The row says less than what the client has received. */
  | 'under_recorded'
  /** The row says more than the call may use. */
  | 'above_bound'
  | 'charge_differs'
  /** A call that nobody knows the end of was charged money. */
  | 'expired_row_charged'
  /** The ledger says that the host answered; the host knows nothing of it. */
  | 'row_without_service'
  /** The client has a part of an answer, its gateway lived on, and the ledger has nothing. */
  | 'unrecorded_part'
  /** The ledger and the budget do not tell the same. */
  | 'budget_differs'
  | 'overdrawn'
  | 'overspent'
  | 'lease_differs'
  | 'held'
  | 'open_call'
  | 'batch_waiting'
  | 'batch_refused'
  /** A caller with every right was refused for a reason that is not true. */
  | 'false_refusal'
  | 'no_retry_after'
  | 'hung'

export interface Finding {
  readonly rule: Rule
  readonly about: string
  readonly detail: string
}

/** The prices of the test's plan, in picos (10^-12) of its currency. */
const picosPerInputToken = 3_000_000n
const picosPerOutputToken = 15_000_000n
const picosPerInference = 500_000_000_000n
const contextTokens = 8_192
/** The longest that any wait of the gateway may add up to. */
const patienceMs = 25_000

const statusesOfAnOutage: ReadonlySet<number> = new Set([502, 503, 504])
const codesOfALimit: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'concurrency_limit_exceeded',
  'rate_limit_exceeded',
])

/** Compares the three sides. No finding: nothing lost, doubled, overspent or held. */
export function check(evidence: Evidence): readonly Finding[] {
  const rowsOf = Map.groupBy(evidence.ledger, (row) => row.requestId)
  const hostRows = new Map(evidence.host.map((said) => [`${said.requestId}/${said.attempt}`, said]))
  return [
    ...evidence.calls.flatMap((call) => [...checkRefusal(call), ...checkDelivery(evidence, call, rowsOf, hostRows)]),
    ...checkOnce(rowsOf),
    ...evidence.ledger.flatMap((row) => checkRow(row, hostRows)),
    ...checkBooks(evidence),
    ...evidence.openCalls.map((about) => ({ rule: 'open_call', about, detail: 'taken to be in flight' }) as const),
    ...left('batch_waiting', 'usage_batch', evidence.batchesWaiting),
    ...left('batch_waiting', 'spool', evidence.spools),
    ...left('batch_refused', 'usage_batch_refused', evidence.batchesRefused),
  ]
}

const left = (rule: Rule, about: string, count: number): readonly Finding[] =>
  count > 0 ? [{ rule, about, detail: `${count} left` }] : []

function checkRefusal(call: CallSeen): readonly Finding[] {
  const about = nameOf(call)
  const findings: Finding[] = []
  const isLimit = call.status === 429 && codesOfALimit.has(call.code ?? '')
  // Before the clock's time nobody had a license: by its own clock the gateway is right.
  const isByClock = call.wrongClock && call.status === 403 && call.code === 'license_not_started'
  if (call.status !== 0 && call.status !== 200 && !statusesOfAnOutage.has(call.status) && !isLimit && !isByClock)
    findings.push({ rule: 'false_refusal', about, detail: `${call.status} ${call.code}` })
  const isOurOutage = call.status === 503 || isLimit
  if (isOurOutage && !(Number(call.retryAfter) > 0))
    findings.push({
      rule: 'no_retry_after',
      about,
      detail: `${call.status} ${call.code}, retry-after ${call.retryAfter}`,
    })
  if (call.milliseconds > patienceMs) findings.push({ rule: 'hung', about, detail: `${call.milliseconds} ms` })
  return findings
}

function checkDelivery(
  evidence: Evidence,
  call: CallSeen,
  rowsOf: ReadonlyMap<string, readonly LedgerRow[]>,
  hostRows: ReadonlyMap<string, HostSaid>,
): readonly Finding[] {
  if (call.requestId === undefined || call.status !== 200) return []
  const about = nameOf(call)
  const rows = rowsOf.get(call.requestId) ?? []
  // One that was expired first and told later has both rows; the later one says what was delivered.
  const row = rows.find(isDelivery) ?? rows.find(({ outcome }) => outcome === 'expired')
  if (row === undefined) {
    if (call.isWhole) return [{ rule: 'lost', about, detail: 'received whole, and no row' }]
    // A process that died before its note of the call was written takes that knowledge with it.
    return call.pieces > 0 && !call.gatewayDied
      ? [{ rule: 'unrecorded_part', about, detail: `${call.pieces} pieces received, and no row` }]
      : []
  }
  const findings: Finding[] = []
  if (row.tenant !== call.tenant || row.application !== call.application)
    findings.push({ rule: 'wrong_tenant', about, detail: `stands under ${row.tenant}/${row.application}` })
  if (call.isWhole && row.outcome !== 'answered')
    findings.push({ rule: 'wrong_outcome', about, detail: `received whole, the row says ${row.outcome}` })
  if (call.operation === 'infer') return findings
  const inputMax = BigInt(Math.min(call.bytes, contextTokens))
  const outputMax = BigInt(call.outputMax)
  if (row.inputTokens > inputMax || row.outputTokens > outputMax)
    findings.push({ rule: 'above_bound', about, detail: `${tokens(row)} of at most ${inputMax}+${outputMax}` })
  const pieces = BigInt(Math.min(call.pieces, call.outputMax))
  if (row.outputTokens < pieces)
    findings.push({ rule: 'under_recorded', about, detail: `${tokens(row)}, and ${call.pieces} pieces received` })
  if (call.isWhole) findings.push(...checkTokens(evidence, call, row, hostRows))
  return findings
}

/** What a whole answer says of its own usage is what the ledger must say, unless that is impossible. */
function checkTokens(
  evidence: Evidence,
  call: CallSeen,
  row: LedgerRow,
  hostRows: ReadonlyMap<string, HostSaid>,
): readonly Finding[] {
  const said = hostRows.get(`${row.requestId}/${row.attempt}`)
  const honest = said === undefined ? undefined : { input: said.inputTokens, output: said.outputTokens }
  const expected = call.usage ?? (evidence.hostMayLie ? undefined : honest)
  if (expected === undefined || !isPossible(expected, call)) return []
  const isSame = row.inputTokens === BigInt(expected.input) && row.outputTokens === BigInt(expected.output)
  return isSame && row.usageSource === 'host'
    ? []
    : [
        {
          rule: 'tokens_differ',
          about: nameOf(call),
          detail: `the ledger has ${tokens(row)} (${row.usageSource}), the host said ${expected.input}+${expected.output}`,
        },
      ]
}

/** Whether a host may mean it. Zero output for what was delivered, or more than was asked for, is no usage. */
const isPossible = (usage: { input: number; output: number }, call: CallSeen): boolean =>
  usage.input > 0 &&
  usage.output > 0 &&
  usage.input <= Math.min(call.bytes, contextTokens) &&
  usage.output <= call.outputMax

function checkOnce(rowsOf: ReadonlyMap<string, readonly LedgerRow[]>): readonly Finding[] {
  return [...rowsOf].flatMap(([about, rows]) => {
    const requests = sum(rows.map((row) => row.requests))
    const attempts = new Set(rows.map((row) => row.attempt))
    return requests > 1n || rows.filter(isDelivery).length > 1 || attempts.size < rows.length
      ? [{ rule: 'doubled', about, detail: rows.map((row) => `${row.attempt} ${row.outcome}`).join(', ') } as const]
      : []
  })
}

function checkRow(row: LedgerRow, hostRows: ReadonlyMap<string, HostSaid>): readonly Finding[] {
  const about = row.requestId
  if (row.outcome === 'expired')
    return row.chargePicos === 0n ? [] : [{ rule: 'expired_row_charged', about, detail: `${row.chargePicos} picos` }]
  const charge =
    row.inputTokens * picosPerInputToken + row.outputTokens * picosPerOutputToken + row.inferences * picosPerInference
  const findings: Finding[] = []
  if (row.chargePicos !== charge)
    findings.push({ rule: 'charge_differs', about, detail: `${row.chargePicos} picos, and the prices make ${charge}` })
  // Who leaves, or is cut off, may do so before the host has heard of the call.
  const isServed = isDelivery(row) && row.outcome !== 'client_left' && row.outcome !== 'cut'
  if (isServed && !hostRows.has(`${row.requestId}/${row.attempt}`))
    findings.push({ rule: 'row_without_service', about, detail: `${row.outcome}, attempt ${row.attempt}` })
  return findings
}

function checkBooks({ before, after, ledger, allowances }: Evidence): readonly Finding[] {
  const findings: Finding[] = []
  const counted = inBudgets(ledger)
  const isUnsure = unsureOf(ledger)
  const leasesOf = Map.groupBy(after.leases, keyOf)
  for (const account of after.accounts) {
    const about = keyOf(account)
    const leases = leasesOf.get(about) ?? []
    const lent = sum(leases.map(({ amount }) => amount))
    if (lent !== account.leased)
      findings.push({ rule: 'lease_differs', about, detail: `${account.leased} lent, and leases of ${lent}` })
    if (account.ceiling !== undefined && account.settled + account.leased > account.ceiling)
      findings.push({
        rule: 'overdrawn',
        about,
        detail: `${account.settled} + ${account.leased} of ${account.ceiling}`,
      })
    for (const lease of leases)
      if (lease.used > lease.amount || lease.used < 0n)
        findings.push({ rule: 'overdrawn', about, detail: `a lease of ${lease.amount} used ${lease.used}` })
    const held = account.leased - sum(leases.map(({ used }) => used))
    if (held !== 0n) findings.push({ rule: 'held', about, detail: `${held} after the lease time` })
    const inLedger = sum(counted.filter((row) => belongsTo(row, account)).map((row) => amountOf(row, account.budget)))
    const inBudget = usedOf(after, about) - usedOf(before, about)
    const unsure = counted.filter((row) => belongsTo(row, account) && isUnsure(row))
    const inLedgerMin = inLedger - sum(unsure.map((row) => amountOf(row, account.budget)))
    if (inBudget > inLedger || inBudget < inLedgerMin)
      findings.push({ rule: 'budget_differs', about, detail: `the ledger has ${inLedger}, the budget ${inBudget}` })
  }
  for (const { tenant, tokens: limit, usedBefore } of allowances) {
    const months = Map.groupBy(
      counted.filter((row) => row.tenant === tenant),
      ({ startedAtMs }) => monthOf(startedAtMs),
    )
    for (const [month, rows] of months) {
      const sure = rows.filter((row) => !isUnsure(row))
      const spent = (usedBefore.get(month) ?? 0n) + sum(sure.map((row) => row.inputTokens + row.outputTokens))
      if (spent > limit)
        findings.push({ rule: 'overspent', about: `${tenant} ${month}`, detail: `${spent} tokens of ${limit}` })
    }
  }
  return findings
}

/** Settled, inside leases or not. */
function usedOf(books: Books, key: string): bigint {
  const account = books.accounts.find((candidate) => keyOf(candidate) === key)
  const inLeases = sum(books.leases.filter((lease) => keyOf(lease) === key).map(({ used }) => used))
  return (account?.settled ?? 0n) + inLeases
}

/** The UTC month of a moment, such as `2026-11`. */
export const monthOf = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 7)

/** A row that says what a caller got, be it counted as a request or, because it had expired before, not. */
const isDelivery = (row: LedgerRow): boolean =>
  row.outcome !== 'expired' && (row.requests > 0n || row.outcome === 'answered' || row.chargePicos > 0n)

/**
 * A call that was ended as expired while its real end lay in a spool, and came after it. Its row says the bound,
 * uncharged; the budget lacks what the process had given back of it by then. Every other expired call holds its bound in
 * the budget to the last token.
 */
function unsureOf(ledger: readonly LedgerRow[]): (row: LedgerRow) => boolean {
  const told = new Set(ledger.flatMap(({ outcome, requestId }) => (outcome === 'expired' ? [] : [requestId])))
  return ({ outcome, requestId }) => outcome === 'expired' && told.has(requestId)
}

/** What an expired call held for its bound stays taken, whatever is told of it later. */
function inBudgets(ledger: readonly LedgerRow[]): readonly LedgerRow[] {
  const expired = new Set(ledger.flatMap(({ outcome, requestId }) => (outcome === 'expired' ? [requestId] : [])))
  return ledger.filter(({ outcome, requestId }) => outcome === 'expired' || !expired.has(requestId))
}

const belongsTo = (row: LedgerRow, account: AccountRow): boolean =>
  row.tenant === account.tenant &&
  row.license === account.license &&
  row.startedAtMs >= account.periodStartMs &&
  row.startedAtMs < account.periodEndMs

/** What a row takes out of a budget. Slots are used up by nothing. */
function amountOf(row: LedgerRow, budget: string): bigint {
  if (budget.startsWith('tokens/')) return row.inputTokens + row.outputTokens
  if (budget.startsWith('requests/')) return row.requests
  if (budget.startsWith('cost/')) return row.chargePicos
  return 0n
}

const keyOf = (of: Pick<AccountRow | LeaseRow, 'tenant' | 'license' | 'budget' | 'periodStartMs'>): string =>
  `${of.tenant} ${of.license} ${of.budget} ${new Date(of.periodStartMs).toISOString()}`

const nameOf = (call: CallSeen): string => `${call.requestId ?? 'no request id'} of ${call.tenant}/${call.application}`
const tokens = (row: LedgerRow): string => `${row.inputTokens}+${row.outputTokens}`
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n)
