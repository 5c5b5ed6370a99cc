import { err, ok, type Instant, type Result, type Uuid } from '../../kernel/index.ts'
import { appendAuditEntry } from '../../audit/index.ts'
import { planByValues, systemSnapshot, type Database, type Tx } from '../../db/index.ts'
import { agentOf, type Actor } from '../../identity/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { monthAfter, monthName, monthOf, type Period } from '../month.ts'
import {
  dropCandidates,
  findCandidates,
  loadCallTotals,
  loadServedVersions,
  loadUnreported,
  planToTheEnd,
  readCandidateLines,
  readCandidateRows,
  readForeignLines,
  type AgreedCalls,
  type CallTotals,
  type Compared,
} from '../store-compare-calls.ts'
import { loadStandingReports, lockReconciliation } from '../store-host-usage.ts'
import { appendRun, endMatched, noteDifferences, takeRunId } from '../store-reconciliation.ts'
import { loadPriceBook } from '../store.ts'
import { loadTenantIds } from '../store-tenant-ids.ts'
import { Balance, textsOf, type Amounts } from './balance.ts'
import type { CallPair } from './call-pair.ts'
import { compareCall } from './classify-call.ts'
import { compareStripe } from './compare-stripe.ts'
import type { CompareRules } from './compare-rules.ts'
import { differenceOfCall, type FoundDifference } from './exception.ts'
import type { Figures } from './figures.ts'
import { mergeCalls } from './merge-calls.ts'
import { readStripe } from './read-stripe.ts'
import type { StripeBooks } from './stripe-books.ts'

export type RunRefusal = { reason: 'nothing_to_compare'; period: Period }

export interface Ran {
  readonly runId: Uuid
  readonly period: Period
  readonly figures: Figures
  /** Exceptions that an earlier run had found and that are not there any more. */
  readonly matched: number
}

const differencesPerInsert = 500

/**
 * Holds the ledger against what the hosts and Stripe say of a month. What agrees at first sight is counted in the database;
 * every other call is read from both sides, in the order of the requests, and judged by `compareCall`. Stripe is read first,
 * where it is in use: `stripe` undefined compares with what was read there last, or with nothing. At its end what agreed and what differed must make up both sides to the last unit, or the run fails. It changes nothing but its own notes.
 */
export async function runReconciliation(
  needs: { database: Database; stripe: StripeBooks | undefined },
  wish: { period: Period; actor: Actor; now: Instant },
): Promise<Result<Ran, RunRefusal>> {
  const { database, stripe } = needs
  await untilUnfolded(database)
  if (stripe !== undefined) await readStripe({ database, stripe }, wish)
  // One moment: the sums of both sides are of the rows that were compared.
  return systemSnapshot(database, 'bill', (tx) => runIn(tx, wish))
}

async function runIn(
  tx: Tx,
  { period, actor, now }: { period: Period; actor: Actor; now: Instant },
): Promise<Result<Ran, RunRefusal>> {
  await lockReconciliation(tx, period)
  await planByValues(tx)
  await planToTheEnd(tx)
  const { here, beside } = await reportsOf(tx, period)
  if (here.length === 0) return err({ reason: 'nothing_to_compare', period })
  const compared: Compared = {
    runId: await takeRunId(tx),
    period,
    reports: here.map(({ reportId }) => reportId),
    deployments: here.map(({ deployment }) => deployment),
  }
  const noted = new Notes(tx, compared)
  const calls = await compareCalls(tx, { ...compared, beside }, noted)
  const stripe = await compareStripe(tx, period, (difference) => noted.add(difference))
  await noted.flush()
  const unreported = await loadUnreported(tx, compared)
  const figures: Figures = {
    calls,
    ...(stripe === undefined ? {} : { stripe }),
    unreported: unreported.map((one) => ({ deployment: one.deployment, calls: String(one.calls) })),
    classes: Object.fromEntries(noted.classes),
  }
  const matched = await endMatched(tx, { ...compared, by: actor.name, now })
  await appendRun(tx, { ...compared, by: actor.name, now, figures })
  await appendAuditEntry(tx, {
    tenantId: undefined,
    at: now,
    action: 'reconciliation.run',
    agent: agentOf(actor),
    entity: { type: 'reconciliation', id: monthName(period), revision: compared.runId },
    outcome: 'done',
    facts: { matched, differences: [...noted.classes].map(([name, count]) => `${name}: ${count}`) },
  })
  return ok({ runId: compared.runId, period, figures, matched })
}

/** The reports of the month, and those of the months to either side. */
async function reportsOf(tx: Tx, period: Period) {
  const before = monthOf((period.start - 1) as Instant)
  const standing = await loadStandingReports(tx, { from: before.start, to: monthAfter(period).start })
  const isHere = ({ periodStart }: { periodStart: Date }) => periodStart.getTime() === period.start
  return {
    here: standing.filter(isHere),
    beside: standing.filter((one) => !isHere(one)).map(({ reportId }) => reportId),
  }
}

async function compareCalls(
  tx: Tx,
  compared: Compared & { readonly beside: readonly Uuid[] },
  noted: Notes,
): Promise<Figures['calls']> {
  const rules: CompareRules = { book: await loadPriceBook(tx), served: await loadServedVersions(tx) }
  const tenants = await loadTenantIds(tx)
  const balance = new Balance()
  const atFirstSight = await findCandidates(tx, compared, rules)
  balance.agree(amountsOf(atFirstSight))
  let calls = atFirstSight.calls
  const judge = async (pair: CallPair) => {
    const call = compareCall(pair, rules)
    if (call.class === undefined) {
      const money = call.currency === undefined ? [] : [[call.currency, call.oursPicos] as const]
      balance.agree(new Map<string, bigint>([['input', call.ours.input], ['output', call.ours.output], ...money]))
      if (pair.host.some(({ book }) => book === 'here')) calls++
      return
    }
    const difference = differenceOfCall(pair, { ...call, class: call.class }, (tenant) => tenants.get(tenant))
    balance.differ(difference)
    await noted.add(difference)
  }
  for await (const pair of mergeCalls(readCandidateRows(tx, compared), readCandidateLines(tx, compared)))
    await judge(pair)
  for await (const page of readForeignLines(tx, compared))
    for (const line of page) await judge({ requestId: undefined, ledger: [], host: [line] })
  await dropCandidates(tx, compared)
  const totals = await loadCallTotals(tx, compared)
  const currencies = [...totals.oursPicos.keys()]
  balance.requireExplained(bothSides(totals), {
    ours: ['input', 'output', ...currencies],
    theirs: ['input', 'output'],
  })
  return callFigures(totals, balance.agreed, calls)
}

const amountsOf = ({ input, output, picos }: AgreedCalls): Amounts =>
  new Map([['input', input], ['output', output], ...picos])

const bothSides = ({ ours, oursPicos, theirs }: CallTotals) => ({
  ours: new Map([['input', ours.input], ['output', ours.output], ...oursPicos]),
  theirs: new Map([
    ['input', theirs.input],
    ['output', theirs.output],
  ]),
})

const callFigures = (totals: CallTotals, agreed: Amounts, calls: bigint): Figures['calls'] => {
  const of = (name: string) => String(agreed.get(name) ?? 0n)
  const currencies = [...agreed.keys()].filter((name) => name !== 'input' && name !== 'output')
  return {
    ours: {
      calls: String(totals.ours.calls),
      input: String(totals.ours.input),
      output: String(totals.ours.output),
      picos: textsOf(totals.oursPicos),
    },
    theirs: {
      lines: String(totals.theirs.lines),
      input: String(totals.theirs.input),
      output: String(totals.theirs.output),
    },
    agreed: {
      calls: String(calls),
      input: of('input'),
      output: of('output'),
      picos: Object.fromEntries(currencies.map((currency) => [currency, of(currency)])),
    },
  }
}

/** Writes differences some hundreds at a time, and counts them by class. */
class Notes {
  readonly classes = new Map<string, number>()
  readonly #tx: Tx
  readonly #run: Compared
  #waiting: FoundDifference[] = []

  constructor(tx: Tx, run: Compared) {
    this.#tx = tx
    this.#run = run
  }

  async add(difference: FoundDifference): Promise<void> {
    this.classes.set(difference.class, (this.classes.get(difference.class) ?? 0) + 1)
    this.#waiting.push(difference)
    if (this.#waiting.length >= differencesPerInsert) await this.flush()
  }

  async flush(): Promise<void> {
    const found = this.#waiting
    this.#waiting = []
    if (found.length > 0) await noteDifferences(this.#tx, this.#run, found)
  }
}
