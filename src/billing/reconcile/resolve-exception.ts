import { err, isUuid, ok, requestName, type Instant, type Result } from '../../kernel/index.ts'
import { appendAuditEntry } from '../../audit/index.ts'
import type { Tx } from '../../db/index.ts'
import { agentOf, areTwoPeople, type Actor } from '../../identity/index.ts'
import { appendCorrections } from '../../metering/index.ts'
import { monthAfter, monthOf } from '../month.ts'
import {
  addCandidate,
  dropCandidates,
  loadServedVersions,
  readCandidateLines,
  readCandidateRows,
} from '../store-compare-calls.ts'
import { loadStandingReports, lockReconciliation } from '../store-host-usage.ts'
import {
  endException,
  holdException,
  takeRunId,
  type ExceptionState,
  type KeptException,
} from '../store-reconciliation.ts'
import { loadPriceBook } from '../store.ts'
import type { CallPair } from './call-pair.ts'
import { compareCall } from './classify-call.ts'
import type { CompareRules } from './compare-rules.ts'
import { correctCall } from './correct-call.ts'
import type { DifferenceClass } from './difference.ts'
import { differenceOfCall } from './exception.ts'
import { mergeCalls } from './merge-calls.ts'

export type ResolveRefusal =
  | { reason: 'exception_not_found'; exception: string }
  | { reason: 'exception_ended'; exception: string; state: ExceptionState }
  | { reason: 'exception_changed'; exception: string }
  | { reason: 'not_correctable'; class: DifferenceClass; why: string }
  | { reason: 'reason_missing' }
  | { reason: 'second_person_missing'; class: DifferenceClass; subject: string }

interface Wish {
  readonly exceptionId: string
  readonly reason: string
  readonly actor: Actor
  readonly now: Instant
}

/**
 * Makes the ledger say of a call what the host counts: the opposite of what was charged and a row of what is right, never an
 * edit. The rows are compared once more before, so that nothing is corrected that is not so any more.
 */
export async function correctException(tx: Tx, wish: Wish): Promise<Result<KeptException, ResolveRefusal>> {
  const held = await holdOpen(tx, wish)
  if (!held.ok) return held
  const { exceptionId: exception, class: ofClass, subject, period } = held.value
  const requestId = /^call\/(.*)$/.exec(subject)?.[1]
  if (requestId === undefined || !isUuid(requestId))
    return err({ reason: 'not_correctable', class: ofClass, why: 'it is none of a call that the ledger knows' })
  await lockReconciliation(tx, period)
  const rules: CompareRules = { book: await loadPriceBook(tx), served: await loadServedVersions(tx) }
  const pair = await readPair(tx, { requestId, held: held.value })
  const compared = compareCall(pair, rules)
  const isSame =
    compared.class === ofClass &&
    differenceOfCall(pair, { ...compared, class: ofClass }, () => undefined).fingerprint === held.value.fingerprint
  if (!isSame) return err({ reason: 'exception_changed', exception })
  const corrections = correctCall(pair, ofClass, rules)
  if (!corrections.ok) return err({ reason: 'not_correctable', class: ofClass, why: corrections.error })
  const rows = await appendCorrections(tx, corrections.value)
  const correction = rows.map((row) => ({ ...row, tenantId: undefined, requestId: requestName(row.requestId) }))
  await end(tx, held.value, { ...wish, state: 'corrected', approvedBy: undefined, correction })
  return requireEnded(tx, exception)
}

/** Two people say why a difference may stay. */
export async function acceptException(
  tx: Tx,
  wish: Wish & { readonly approvedBy: Actor | undefined },
): Promise<Result<KeptException, ResolveRefusal>> {
  const held = await holdOpen(tx, wish)
  if (!held.ok) return held
  const { approvedBy } = wish
  if (!areTwoPeople(wish.actor, approvedBy)) {
    const { class: ofClass, subject } = held.value
    return err({ reason: 'second_person_missing', class: ofClass, subject })
  }
  await end(tx, held.value, { ...wish, state: 'accepted', approvedBy, correction: undefined })
  return requireEnded(tx, held.value.exceptionId)
}

async function holdOpen(tx: Tx, { exceptionId, reason }: Wish): Promise<Result<KeptException, ResolveRefusal>> {
  if (reason.trim() === '') return err({ reason: 'reason_missing' })
  const held = isUuid(exceptionId) ? await holdException(tx, exceptionId) : undefined
  if (held === undefined) return err({ reason: 'exception_not_found', exception: exceptionId })
  return held.state === 'open'
    ? ok(held)
    : err({ reason: 'exception_ended', exception: exceptionId, state: held.state })
}

/** Everything that either side says of one request now, read as a run reads it. */
async function readPair(tx: Tx, of: { requestId: string; held: KeptException }): Promise<CallPair> {
  const { period } = of.held
  const before = monthOf((period.start - 1) as Instant)
  const standing = await loadStandingReports(tx, { from: before.start, to: monthAfter(period).start })
  const here = standing.filter(({ periodStart }) => periodStart.getTime() === period.start)
  const compared = {
    runId: await takeRunId(tx),
    period,
    reports: here.map(({ reportId }) => reportId),
    deployments: here.map(({ deployment }) => deployment),
    beside: standing.filter((one) => !here.includes(one)).map(({ reportId }) => reportId),
  }
  await addCandidate(tx, compared, of.requestId)
  let found: CallPair = { requestId: of.requestId, ledger: [], host: [] }
  for await (const pair of mergeCalls(readCandidateRows(tx, compared), readCandidateLines(tx, compared))) found = pair
  await dropCandidates(tx, compared)
  return found
}

async function end(
  tx: Tx,
  held: KeptException,
  wish: Wish & {
    state: 'corrected' | 'accepted'
    approvedBy: Actor | undefined
    correction: readonly object[] | undefined
  },
): Promise<void> {
  const { actor, approvedBy, now, reason, state, correction } = wish
  await endException(tx, held.exceptionId, {
    state,
    now,
    by: actor.name,
    approvedBy: approvedBy?.name,
    reason,
    correction,
  })
  await appendAuditEntry(tx, {
    tenantId: held.tenantId,
    at: now,
    action: state === 'corrected' ? 'reconciliation.correct' : 'reconciliation.accept',
    agent: agentOf(actor),
    approvedBy: approvedBy === undefined ? undefined : agentOf(approvedBy),
    entity: { type: 'reconciliation_exception', id: held.exceptionId },
    outcome: 'done',
    reason,
    facts: { class: held.class, subject: held.subject, rows: String(correction?.length ?? 0) },
  })
}

async function requireEnded(tx: Tx, exception: string): Promise<Result<KeptException, ResolveRefusal>> {
  const ended = await holdException(tx, exception)
  return ended === undefined ? err({ reason: 'exception_not_found', exception }) : ok(ended)
}
