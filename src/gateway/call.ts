import { ok, requestName, type Result } from '../kernel/index.ts'
import { authenticate, type Operation } from '../identity/index.ts'
import { requireLicense } from '../licensing/index.ts'
import { decide, inPrecedence, type Asked } from '../policy/index.ts'
import { protect, type Sensitive } from '../privacy/index.ts'
import { boundOf, reserve } from '../quota/index.ts'
import { callDeployments, choose, type CallerLeft } from '../routing/index.ts'
import { refuse, type Answer } from './answer.ts'
import { deliverStream, deliverWhole } from './deliver.ts'
import { everyReason } from './every-reason.ts'
import type { Asking, Gateway } from './gateway.ts'
import { chargeAt, HeldCall } from './held-call.ts'
import { noteBreakGlass, noteRefused } from './note-refused.ts'
import type { ModelRequest, RequestRefusal } from './read-request.ts'
import { toWire, type Refusal } from './refusal.ts'
import { orBroken } from './or-broken.ts'
import { upstreamRequest } from './upstream-request.ts'

/** One call of a model, as the edge hands it over. */
export interface Call extends Asking {
  readonly operation: Operation
  readonly left: CallerLeft
  /** Reads the body, up to its limit. Only the body of a known caller is read. */
  body(): Promise<Result<Sensitive<string>, RequestRefusal>>
  parse(body: string): Result<ModelRequest, RequestRefusal>
}

/**
 * A call of a model, from its credential to its settlement. Every gate is a line here, and no gate is anywhere else: each
 * takes what only the one before it makes.
 */
async function throughTheGates(gateway: Gateway, call: Call): Promise<Answer> {
  const principal = await authenticate(gateway, call, call.now)
  if (!principal.ok) return no(gateway, call, [principal.error])

  // Whoever is known is told why, and that they were refused is entered.
  let asked: Asked | undefined
  const refused = (refusals: readonly Refusal[]) => {
    noteRefused(gateway, call, { principal: principal.value, asked }, refusals)
    return no(gateway, call, refusals)
  }

  const body = await call.body()
  if (!body.ok) return refused([body.error])
  const request = call.parse(body.value.reveal())
  if (!request.ok) return refused([request.error])
  asked = {
    model: request.value.model,
    operation: call.operation,
    facility: call.facility,
    purpose: call.purpose,
    at: call.now,
  }

  const licensed = requireLicense(gateway, principal.value, call.now)
  if (!licensed.ok) return refused(everyReason(gateway, principal.value, licensed.error, asked))

  const permit = decide(gateway, licensed.value, asked)
  if (!permit.ok) return refused(inPrecedence(permit.error))

  const deployments = choose(gateway, permit.value)

  const planName = licensed.value.revision.plan
  const plan = gateway.planAt(planName, call.now)
  if (plan === undefined) return no(gateway, call, [{ reason: 'plan_missing', plan: planName }])
  const charge = chargeAt(plan, permit.value.model.model)
  const bound = boundOf(request.value.measured, permit.value.version, charge)
  gateway.ledger.requireRoom()
  const reservation = await reserve(gateway.lender, permit.value, bound, call.now)
  if (!reservation.ok) return refused(reservation.error)
  const { broken } = reservation.value
  if (broken.length > 0) noteBreakGlass(gateway, call, { principal: principal.value, asked, budgets: broken })

  const held = new HeldCall(gateway, call, {
    reservation: reservation.value,
    request: request.value,
    permit: permit.value,
    plan,
  })
  try {
    const mode = licensed.value.revision.terms.privacy[permit.value.audience] ?? 'pass'
    const content = protect(mode, body.value)
    if (!content.ok) return refused([content.error])

    const answered = await callDeployments(gateway, deployments, {
      streamed: request.value.streamed,
      left: call.left,
      prepare(deployment, attempt) {
        held.goesTo(deployment)
        return upstreamRequest(gateway, call, held, { deployment, attempt })
      },
      noteFailed: (failed) => held.noteFailed(failed),
    })
    if (!answered.ok) return no(gateway, call, [answered.error])

    // Both settle: a stream when it ends, a whole answer before it leaves.
    const isStream = request.value.streamed && answered.value.answer.contentType.includes('text/event-stream')
    return isStream
      ? deliverStream(gateway, call, held, answered.value, call.left)
      : await deliverWhole(call, held, answered.value)
  } finally {
    // Nobody waits for it: what is released is free at once, and the attempts are written beside the answer.
    if (!held.isAnswered) gateway.deferred.defer(held.release())
  }
}

/** The same with its last resort: a broken dependency or a bug ends as an answer that says nothing of the inside. */
export async function callModel(gateway: Gateway, call: Call): Promise<Answer> {
  const outcome = await orBroken(gateway, call, async () => ok(await throughTheGates(gateway, call)))
  return outcome.ok ? outcome.value : no(gateway, call, outcome.error)
}

function no(gateway: Gateway, call: Call, refusals: readonly Refusal[]): Answer {
  const [first = { reason: 'bug' } satisfies Refusal] = refusals
  const { status, code } = toWire(first)
  const durationMs = gateway.monotonicMs() - call.startedMs
  gateway.meter.callEnded({
    operation: call.operation,
    model: 'none',
    outcome: code,
    status,
    durationMs,
    firstByteMs: undefined,
    inputTokens: 0,
    outputTokens: 0,
  })
  gateway.log.info('call.refused', {
    request: requestName(call.requestId),
    operation: call.operation,
    status,
    reasons: refusals.map(({ reason }) => reason),
    policies: forbiddingIn(refusals),
    ms: Math.round(durationMs),
  })
  return refuse(call.requestId, refusals)
}

/** The policies that said no, if that was the reason. */
function forbiddingIn(refusals: readonly Refusal[]): readonly string[] | undefined {
  const denied = refusals.find((refusal) => refusal.reason === 'policy_denied')
  return denied?.by.map(({ policy }) => policy)
}
