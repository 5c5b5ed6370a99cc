import { assert, requestName, type Picos } from '../kernel/index.ts'
import { rate, unitPricesFor, type PlanRevision } from '../billing/index.ts'
import {
  callFacts,
  noteInFlight,
  recordFailedAttempt,
  release,
  settle,
  type CallFacts,
  type Outcome,
} from '../metering/index.ts'
import type { Permit } from '../policy/index.ts'
import type { Amounts, Reservation } from '../quota/index.ts'
import {
  settledUsage,
  type Delivered,
  type Deployment,
  type FailedAttempt,
  type ReportedUsage,
} from '../routing/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { ModelRequest } from './read-request.ts'

/** The charge of a use at a plan's price for a model. */
export const chargeAt =
  (plan: PlanRevision, model: string) =>
  (used: Omit<Amounts, 'cost'>): Picos =>
    rate(unitPricesFor(plan, model), used)

/** Who served a call, and how long it took to begin. */
export interface Served {
  readonly attempt: number
  readonly deployment: Deployment
  readonly hostStatus: number | undefined
  readonly firstByteMs: number | undefined
}

/**
 * A call that holds a reservation. Whatever happens to it, it ends here once: settled at what was delivered, or
 * released because nothing was.
 */
export class HeldCall {
  readonly reservation: Reservation
  readonly request: ModelRequest
  readonly permit: Permit
  readonly #gateway: Gateway
  readonly #asking: Asking
  readonly #facts: CallFacts
  readonly #charge: (used: Omit<Amounts, 'cost'>) => Picos
  readonly #failed: FailedAttempt[] = []
  #ended = false
  #streaming = false

  constructor(
    gateway: Gateway,
    asking: Asking,
    held: { reservation: Reservation; request: ModelRequest; permit: Permit; plan: PlanRevision },
  ) {
    this.reservation = held.reservation
    this.request = held.request
    this.permit = held.permit
    this.#gateway = gateway
    this.#asking = asking
    this.#charge = chargeAt(held.plan, held.permit.model.model)
    this.#facts = callFacts(held.reservation, {
      requestId: asking.requestId,
      streamed: held.request.streamed,
      plan: held.plan,
    })
  }

  /** The call goes out to a deployment. Should this process die now, the call is known. */
  goesTo(deployment: Deployment): void {
    noteInFlight(this.#gateway.ledger, this.reservation, this.#facts, deployment)
  }

  /** The end of a stream comes later, and will settle. */
  staysOpen(): void {
    this.#streaming = true
  }

  get isAnswered(): boolean {
    return this.#ended || this.#streaming
  }

  noteFailed(failed: FailedAttempt): void {
    this.#failed.push(failed)
  }

  /**
   * Settles what was delivered, and with it the attempts before it: a host may bill those too. Resolves when all of it is
   * in the ledger. @throws Failure when it could not be written.
   */
  async settle(
    outcome: Outcome,
    served: Served,
    said: { reported: ReportedUsage | undefined; delivered: Delivered },
  ): Promise<void> {
    assert(!this.#ended, 'a call ends once')
    this.#ended = true
    const { bound } = this.reservation
    const usage =
      this.permit.operation === 'infer'
        ? ({ inputTokens: 0, outputTokens: 0, source: 'none' } as const)
        : settledUsage(said.reported, said.delivered, this.request.measured, bound)
    const durationMs = this.#gateway.monotonicMs() - this.#asking.startedMs
    this.#note(outcome, served.hostStatus ?? 0, { durationMs, firstByteMs: served.firstByteMs, ...usage })
    const end = { ...served, outcome, durationMs, usage, charge: this.#charge }
    await Promise.all([
      ...this.#failed.map((failed) => recordFailedAttempt(this.#gateway.ledger, this.#facts, failed)),
      settle(this.#gateway.ledger, this.reservation, this.#facts, end),
    ])
  }

  /**
   * Ends a call that got no answer. A caller who left while the host was working is settled for the prompt; otherwise
   * nothing was used, and the attempts stand in the ledger as what they were.
   */
  async release(): Promise<void> {
    if (this.#ended) return
    const last = this.#failed.at(-1)
    if (last?.outcome === 'client_left') {
      this.#failed.pop()
      const served = { ...last, firstByteMs: undefined }
      return this.settle('client_left', served, { reported: undefined, delivered: { pieces: 0, bytes: 0 } })
    }
    this.#ended = true
    await release(this.#gateway.ledger, this.reservation, this.#facts, this.#failed)
  }

  #note(
    outcome: Outcome,
    status: number,
    facts: { durationMs: number; firstByteMs: number | undefined; inputTokens: number; outputTokens: number },
  ): void {
    const { operation, model, version } = this.permit
    this.#gateway.meter.callEnded({ operation, model: model.model, outcome, status, ...facts })
    this.#gateway.log.info('call', {
      request: requestName(this.#asking.requestId),
      tenant: this.permit.licensed.principal.tenant.tenant,
      application: this.permit.licensed.principal.application.application,
      model: model.model,
      version: version.version,
      outcome,
      status,
      ms: Math.round(facts.durationMs),
      inputTokens: facts.inputTokens,
      outputTokens: facts.outputTokens,
    })
  }
}
