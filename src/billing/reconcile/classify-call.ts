import { picos, type Picos, type Uuid } from '../../kernel/index.ts'
import {
  areSame,
  standingRows,
  sumOf,
  unitsOfHost,
  unitsOfRow,
  type CallPair,
  type HostRow,
  type LedgerRow,
  type Units,
} from './call-pair.ts'
import { isServedAs, pricesOf, skewMsMax, worthOf, type CompareRules } from './compare-rules.ts'
import type { CallClass } from './difference.ts'

/** What both sides say of a call in the month, and the class of their difference; undefined where they agree. */
export interface ComparedCall {
  readonly class: CallClass | undefined
  readonly ours: Units
  readonly theirs: Units
  /** What we charged, and what the host's units cost at the list price of our row; zero where we know no price. */
  readonly oursPicos: Picos
  readonly theirsPicos: Picos
  readonly currency: string | undefined
  readonly tenantId: Uuid | undefined
  readonly license: string | undefined
}

/**
 * Compares what the ledger and the host say of one request in a month. The classes are tried in the order of `callClasses`,
 * and the first that fits takes the whole difference: late and wrong_period explain what would be missing, missing goes
 * before duplicate, and what is the right call of the right model is compared by units, then by price, then by time.
 */
export function compareCall(pair: CallPair, rules: CompareRules): ComparedCall {
  const rows = pair.ledger.filter(({ book }) => book === 'here')
  const host = pair.host.filter(({ book }) => book === 'here')
  const ours = sumOf(rows.map(unitsOfRow))
  const theirs = sumOf(host.map(unitsOfHost))
  const oursPicos = picos(rows.reduce((sum, { charge }) => sum + charge, 0n))
  // Whose call it is: as it stands here, or else where it stands.
  const known = principalOf(rows) ?? principalOf(pair.ledger)
  const theirsPicos =
    known === undefined || !isAnswered(host) ? picos(0n) : worthOf(pricesOf(rules, known), theirs, known.operation)
  const compared = { ours, theirs, oursPicos, theirsPicos }
  return {
    ...compared,
    class: classOf(pair, { rows, host, ...compared }, rules),
    currency: known?.currency,
    tenantId: known?.tenantId,
    license: known?.license,
  }
}

/** The row that stands for the call: the one that counts as a request, or the last. */
export function principalOf(rows: readonly LedgerRow[]): LedgerRow | undefined {
  const standing = standingRows(rows)
  return standing.findLast(({ requests }) => requests === 1) ?? standing.at(-1) ?? rows.at(-1)
}

interface Sides {
  readonly rows: readonly LedgerRow[]
  readonly host: readonly HostRow[]
  readonly ours: Units
  readonly theirs: Units
  readonly oursPicos: Picos
  readonly theirsPicos: Picos
}

function classOf(pair: CallPair, sides: Sides, rules: CompareRules): CallClass | undefined {
  const { rows, host, ours, theirs, oursPicos, theirsPicos } = sides
  const isOurs = isCounted(rows)
  const isTheirs = isAnswered(host)
  const elsewhere = {
    late: isCounted(pair.ledger.filter(({ book }) => book === 'late')),
    ledger: isCounted(pair.ledger.filter(({ book }) => book === 'elsewhere')),
    host: isAnswered(pair.host.filter(({ book }) => book === 'elsewhere')),
  }
  if (!isOurs && elsewhere.late) return 'late'
  if (!isOurs && !isTheirs) return undefined
  if (isTheirs && !isOurs && elsewhere.ledger) return 'wrong_period'
  if (isOurs && !isTheirs && elsewhere.host) return 'wrong_period'
  if (!isTheirs) return 'missing_at_host'
  // A row that counts nothing still says that we know the call: an attempt that was given up.
  if (rows.length === 0) return 'missing_in_ledger'
  if (isRepeated(host) || countRequests(rows) > 1) return 'duplicate'
  const row = principalOf(rows)
  if (row === undefined) return 'missing_in_ledger'
  if (host.some(({ tenant }) => tenant !== undefined && tenant !== row.tenant)) return 'wrong_tenant'
  if (host.some((one) => !isServedAs(rules, rowServedBy(rows, one) ?? row, one))) return 'wrong_model'
  if (!areSame(ours, theirs)) return isCut(row, { ours, theirs }) ? 'unbilled_stream_cut' : 'quantity_differs'
  if (countRequests(rows) === 1 && oursPicos !== theirsPicos) return 'rate_differs'
  return isSkewed(rows, host) ? 'clock_skew' : undefined
}

const countRequests = (rows: readonly LedgerRow[]): number => rows.reduce((sum, { requests }) => sum + requests, 0)

const isCounted = (rows: readonly LedgerRow[]): boolean => {
  const { input, output } = sumOf(rows.map(unitsOfRow))
  return countRequests(rows) !== 0 || input !== 0n || output !== 0n || sumCharge(rows) !== 0n
}

const sumCharge = (rows: readonly LedgerRow[]): bigint => rows.reduce((sum, { charge }) => sum + charge, 0n)

/** A host counts what it answered. An error without units says only that it was asked. */
const isAnswer = ({ status, inputUnits, outputUnits }: HostRow): boolean =>
  (status >= 200 && status < 300) || inputUnits > 0n || outputUnits > 0n
const isAnswered = (host: readonly HostRow[]): boolean => host.some(isAnswer)

/** One attempt of one deployment stands on one line. */
const isRepeated = (host: readonly HostRow[]): boolean => {
  const answers = host.filter(isAnswer)
  return new Set(answers.map(({ deployment, attempt }) => `${deployment} ${attempt}`)).size < answers.length
}

const rowServedBy = (rows: readonly LedgerRow[], { attempt, deployment }: HostRow): LedgerRow | undefined =>
  standingRows(rows).find((row) => row.attempt === attempt && row.deployment === deployment)

/** Outcomes of answers that did not reach their end at us. */
const cutOutcomes: ReadonlySet<string> = new Set(['client_left', 'cut', 'host_closed', 'host_timeout', 'host_error'])

const isCut = ({ outcome }: LedgerRow, { ours, theirs }: { ours: Units; theirs: Units }): boolean =>
  cutOutcomes.has(outcome) && theirs.input >= ours.input && theirs.output >= ours.output

/** The host is done with a call between its beginning and its end at us, give or take. */
const isSkewed = (rows: readonly LedgerRow[], host: readonly HostRow[]): boolean => {
  const standing = standingRows(rows)
  const from = Math.min(...standing.map(({ startedAt }) => startedAt)) - skewMsMax
  const to = Math.max(...standing.map(({ startedAt, durationMs }) => startedAt + durationMs)) + skewMsMax
  return standing.length > 0 && host.some(({ at }) => at < from || at > to)
}
