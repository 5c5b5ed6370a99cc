import { err, ok, type Instant, type Proven, type Result, type Uuid } from '../kernel/index.ts'
import type { BudgetMeter } from '../licensing/index.ts'
import type { Permit } from '../policy/index.ts'
import { amountIn, type Amounts } from './amounts.ts'
import type { Bound } from './bound.ts'
import type { BudgetPocket, Shortage } from './budget-pocket.ts'
import { breakGlassSuffix, limitsFor, mayBreakGlass, type Limit, type Pockets } from './limits.ts'
import type { RatePocket, RateShortage } from './rate-pocket.ts'

export type QuotaRefusal =
  | { reason: 'rate_exceeded'; meter: 'requests' | 'tokens'; limit: number; retryAfterSeconds: number }
  | { reason: 'concurrency_exceeded' }
  /** `held`: it is not used up, but calls in flight may still use the rest. */
  | { reason: 'budget_exhausted'; budget: string; resetsAt: Instant; held: boolean }

export interface BudgetHold {
  readonly pocket: BudgetPocket
  readonly meter: BudgetMeter | 'concurrency'
  readonly amount: bigint
}

export interface RateHold {
  readonly pocket: RatePocket
  readonly meter: 'requests' | 'tokens'
  readonly window: number
  readonly points: number
}

interface ReservationFacts {
  readonly permit: Permit
  /** Whose leases hold it: only that instance may settle it. */
  readonly instanceId: Uuid
  readonly startedAt: Instant
  /** The clamp that goes to the model host, per choice. */
  readonly outputTokensMax: number
  /** The upper bound that is held. */
  readonly bound: Amounts
  readonly budgets: readonly BudgetHold[]
  readonly rates: readonly RateHold[]
  /** Budgets that had ended, and over which the license lets treatment go on. */
  readonly broken: readonly string[]
}

/** All limits of a call, taken. It ends in exactly one settlement. */
export type Reservation = Proven<'Reservation', ReservationFacts>

/** A call that lost its place this often to others is refused: the limit is as good as used up. */
const roundsMax = 100

/**
 * Takes every limit of a call or none: its budgets at their upper bound, requests and tokens per minute, a slot.
 * Mostly that is a look at this process's own pockets in one turn; only an empty pocket asks the database. A caller who
 * named no maximum gets less output when that is all that is left and still useful.
 * @throws Failure when the database cannot be asked and the pockets do not suffice.
 */
export async function reserve(
  pockets: Pockets,
  permit: Permit,
  bound: Bound,
  now: Instant,
): Promise<Result<Reservation, readonly QuotaRefusal[]>> {
  await pockets.requireFresh()
  const broken = new Set<string>()
  const look = () => needsOf(limitsFor(pockets, permit, { now, broken }), bound)
  let needs = look()
  for (let round = 0; round < roundsMax; round++) {
    if (needs.some((need) => need.isLost())) {
      // The instance was taken for dead while this call waited. It looks again, in the pockets of the new one.
      await pockets.requireFresh()
      needs = look()
    }
    // Until `take` nothing is awaited: what was seen to be free is still free.
    const short = needs.find((need) => !need.fits())
    if (short === undefined) {
      const call = { permit, instanceId: pockets.instanceId, startedAt: now, broken: [...broken] }
      return ok(take(needs, call, bound))
    }
    const turn = await short.wait()
    if ('refusal' in turn) {
      const ended = endedBudget(turn.refusal)
      if (ended !== undefined && !broken.has(ended) && mayBreakGlass(permit)) {
        broken.add(ended)
        needs = look()
        continue
      }
      return err([turn.refusal, ...needs.flatMap((need) => (need === short ? [] : need.known()))])
    }
    turn.claim()
  }
  return err([{ reason: 'concurrency_exceeded' }])
}

/** A budget that is used up; one that calls in flight hold may still come free. */
const endedBudget = (refusal: QuotaRefusal): string | undefined =>
  refusal.reason === 'budget_exhausted' && !refusal.held && !refusal.budget.endsWith(breakGlassSuffix)
    ? refusal.budget
    : undefined

/** One limit, as this call needs it. */
interface Need {
  /** Whether its pocket is no longer ours. */
  isLost(): boolean
  /** The output tokens per choice that it leaves room for. */
  room(): number
  /** Whether there is room for what is wanted, or, once more was asked for, for what is useful. */
  fits(): boolean
  wait(): Promise<{ claim(): void } | { refusal: QuotaRefusal }>
  /** A refusal of this limit, too, if it is known without asking. */
  known(): readonly QuotaRefusal[]
  hold(bound: Amounts): { budget: BudgetHold } | { rate: RateHold }
}

const needsOf = (limits: readonly Limit[], bound: Bound): readonly Need[] =>
  limits.map((limit) => (limit.kind === 'budget' ? budgetNeed(limit, bound) : rateNeed(limit, bound)))

function budgetNeed(limit: Limit & { kind: 'budget' }, bound: Bound): Need {
  const { meter, pocket } = limit
  const measure = (amounts: Amounts): bigint => (meter === 'concurrency' ? 1n : amountIn(meter, amounts))
  const need = measure(bound.at(bound.outputTokensWanted))
  const needMin = measure(bound.at(bound.outputTokensUseful))
  let asked = false
  const refusal = (shortage: Shortage): QuotaRefusal =>
    meter === 'concurrency'
      ? { reason: 'concurrency_exceeded' }
      : { reason: 'budget_exhausted', budget: pocket.account.budget, resetsAt: shortage.resetsAt, held: shortage.held }
  return {
    isLost: () => pocket.lost,
    room: () => roomIn(pocket.free, measure, bound),
    fits: () => (asked ? pocket.free >= needMin : pocket.freeForNewcomers >= need),
    async wait() {
      const outcome = await pocket.waitFor({ needMin, need })
      asked = true
      return 'promised' in outcome ? { claim: () => pocket.claim(outcome) } : { refusal: refusal(outcome) }
    },
    known() {
      const shortage = pocket.knownShortage(needMin)
      return shortage === undefined ? [] : [refusal(shortage)]
    },
    hold(amounts) {
      const amount = measure(amounts)
      pocket.reserve(amount)
      return { budget: { pocket, meter, amount } }
    },
  }
}

function rateNeed(limit: Limit & { kind: 'rate' }, bound: Bound): Need {
  const { meter, pocket } = limit
  const measure = (amounts: Amounts): number => (meter === 'requests' ? 1 : amounts.inputTokens + amounts.outputTokens)
  const need = measure(bound.at(bound.outputTokensWanted))
  const needMin = measure(bound.at(bound.outputTokensUseful))
  let asked = false
  const refusal = (shortage: RateShortage): QuotaRefusal => ({
    reason: 'rate_exceeded',
    meter,
    limit: pocket.limit,
    retryAfterSeconds: Math.ceil(shortage.retryAfterMs / 1000),
  })
  return {
    isLost: () => false,
    room: () => roomIn(BigInt(pocket.free), (amounts) => BigInt(measure(amounts)), bound),
    fits: () => pocket.free >= (asked ? needMin : need),
    async wait() {
      const outcome = await pocket.waitFor({ needMin, need })
      asked = true
      return 'promised' in outcome ? { claim: () => {} } : { refusal: refusal(outcome) }
    },
    known() {
      const shortage = pocket.knownShortage(needMin)
      return shortage === undefined ? [] : [refusal(shortage)]
    },
    hold(amounts) {
      const points = measure(amounts)
      return { rate: { pocket, meter, points, window: pocket.reserve(points) } }
    },
  }
}

/** How many output tokens per choice fit into what is free. The measure grows in equal steps. */
function roomIn(free: bigint, measure: (amounts: Amounts) => bigint, bound: Bound): number {
  const base = measure(bound.at(0))
  const step = measure(bound.at(1)) - base
  if (step <= 0n) return bound.outputTokensWanted
  const room = (free - base) / step
  return room > BigInt(bound.outputTokensWanted) ? bound.outputTokensWanted : Number(room)
}

function take(
  needs: readonly Need[],
  call: Pick<ReservationFacts, 'permit' | 'instanceId' | 'startedAt' | 'broken'>,
  bound: Bound,
): Reservation {
  const outputTokensMax = needs.reduce((least, need) => Math.min(least, need.room()), bound.outputTokensWanted)
  const amounts = bound.at(outputTokensMax)
  const budgets: BudgetHold[] = []
  const rates: RateHold[] = []
  for (const need of needs) {
    const held = need.hold(amounts)
    if ('budget' in held) budgets.push(held.budget)
    else rates.push(held.rate)
  }
  const facts: ReservationFacts = { ...call, outputTokensMax, bound: amounts, budgets, rates }
  return facts as Reservation
}
