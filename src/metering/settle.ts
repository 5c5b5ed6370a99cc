import { zeroPicos, type Picos, type Uuid } from '../kernel/index.ts'
import { amountIn, endReservation, type Amounts, type Reservation } from '../quota/index.ts'
import type { Deployment, FailedAttempt, Usage } from '../routing/index.ts'
import type { GroupCommit } from './group-commit.ts'
import type { CallFacts, Outcome, UsageEvent } from './usage-event.ts'

/** The plan revision that prices a call. */
export interface PlanFacts {
  readonly plan: string
  readonly revision: number
  readonly currency: string
}

export function callFacts(
  reservation: Reservation,
  call: { requestId: Uuid; streamed: boolean; plan: PlanFacts },
): CallFacts {
  const { permit } = reservation
  const { licensed } = permit
  return {
    tenantId: licensed.principal.tenant.tenantId,
    requestId: call.requestId,
    instanceId: reservation.instanceId,
    startedAt: reservation.startedAt,
    operation: permit.operation,
    streamed: call.streamed,
    license: licensed.license,
    licenseRevision: licensed.revision.revision,
    facility: permit.facility.facility,
    application: licensed.principal.application.application,
    keyId: licensed.principal.keyId,
    audience: permit.audience,
    purpose: permit.purpose,
    model: permit.model.model,
    version: permit.version.version,
    plan: call.plan.plan,
    planRevision: call.plan.revision,
    policies: permit.policies,
    currency: call.plan.currency,
  }
}

/**
 * Notes that a call is on its way to a deployment, for the case that this process dies. A budget of money is not charged
 * at an expiry, because the ledger row is not; every other budget takes the upper bound.
 */
export function noteInFlight(
  ledger: GroupCommit,
  reservation: Reservation,
  facts: CallFacts,
  deployment: Deployment,
): void {
  const { bound } = reservation
  ledger.open({
    facts,
    bound: { inputTokens: bound.inputTokens, outputTokens: bound.outputTokens, inferences: bound.inferences },
    deployment: deployment.deployment,
    region: deployment.region,
    holds: reservation.budgets.map(({ pocket, meter }) => ({
      budget: pocket.account.budget,
      periodStart: pocket.account.periodStart,
      atExpiry: amountIn(meter, { ...bound, cost: zeroPicos }).toString(),
    })),
  })
}

/** An attempt that gave the caller nothing: its row says that the host was asked, and nothing was used of the budgets. */
const failedEvent = (facts: CallFacts, failed: FailedAttempt, endsCall: boolean): UsageEvent => ({
  ...facts,
  attempt: failed.attempt,
  endsCall,
  outcome: failed.outcome,
  hostStatus: failed.hostStatus,
  firstByteMs: undefined,
  durationMs: Math.round(failed.durationMs),
  deployment: failed.deployment.deployment,
  region: failed.deployment.region,
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  inferences: 0,
  usageSource: 'none',
  charge: zeroPicos,
})

export const recordFailedAttempt = (ledger: GroupCommit, facts: CallFacts, failed: FailedAttempt): Promise<void> =>
  ledger.append(failedEvent(facts, failed, false), [])

export interface CallEnd {
  readonly attempt: number
  readonly outcome: Outcome
  readonly hostStatus: number | undefined
  readonly firstByteMs: number | undefined
  readonly durationMs: number
  readonly deployment: Deployment
  readonly usage: Usage
  /** What it costs at the plan's price. */
  charge(used: Omit<Amounts, 'cost'>): Picos
}

/**
 * The one way in which a reservation ends: the ledger row, what each budget lost, and the end of the hold are one
 * commit. Resolves after it; the caller's last bytes wait for that.
 * @throws Failure when the row could not be written in time.
 */
export function settle(ledger: GroupCommit, reservation: Reservation, facts: CallFacts, end: CallEnd): Promise<void> {
  const { usage } = end
  const counted = {
    requests: 1,
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    inferences: facts.operation === 'infer' && end.outcome === 'answered' ? 1 : 0,
  }
  const charge = end.charge(counted)
  const uses = endReservation(reservation, { ...counted, cost: charge })
  const event: UsageEvent = {
    ...facts,
    ...counted,
    attempt: end.attempt,
    endsCall: true,
    outcome: end.outcome,
    hostStatus: end.hostStatus,
    firstByteMs: end.firstByteMs === undefined ? undefined : Math.round(end.firstByteMs),
    durationMs: Math.round(end.durationMs),
    deployment: end.deployment.deployment,
    region: end.deployment.region,
    usageSource: usage.source,
    charge,
  }
  return ledger.append(event, uses)
}

/**
 * Ends a reservation of which nothing was used: no deployment gave an answer. The attempts have their rows, and the row
 * of the last one ends the call.
 */
export async function release(
  ledger: GroupCommit,
  reservation: Reservation,
  facts: CallFacts,
  attempts: readonly FailedAttempt[],
): Promise<void> {
  const nothing = { requests: 0, inputTokens: 0, outputTokens: 0, inferences: 0, cost: zeroPicos }
  const uses = endReservation(reservation, nothing)
  const last = attempts.at(-1)
  if (last === undefined) return ledger.close(facts, uses)
  await Promise.all([
    ...attempts.slice(0, -1).map((failed) => recordFailedAttempt(ledger, facts, failed)),
    ledger.append(failedEvent(facts, last, true), uses),
  ])
}
