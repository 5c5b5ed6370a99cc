import { assert, parseAmount, type Instant, type Uuid } from '../kernel/index.ts'
import { clinicalPurposes } from '../identity/index.ts'
import { budgetName, type Budget, type BudgetMeter } from '../licensing/index.ts'
import type { Permit } from '../policy/index.ts'
import { accountOf, type Account, type AccountLimit } from './account.ts'
import type { BudgetPocket } from './budget-pocket.ts'
import { always, periodOf } from './periods.ts'
import type { RatePocket } from './rate-pocket.ts'

/** The pockets of this process: one for each account and each rate window that it has had to do with. */
export interface Pockets {
  /** The instance that the pockets are lent to. */
  readonly instanceId: Uuid
  /** @throws Failure when what the pockets hold may have been taken away. */
  requireFresh(): void | Promise<void>
  budget(account: Account, limit: AccountLimit): BudgetPocket
  rate(key: string, limit: number): RatePocket
}

/** A limit that a call must keep. A slot is a budget of `concurrency` that nothing ever uses up. */
export type Limit =
  | { readonly kind: 'budget'; readonly meter: BudgetMeter | 'concurrency'; readonly pocket: BudgetPocket }
  | { readonly kind: 'rate'; readonly meter: 'requests' | 'tokens'; readonly pocket: RatePocket }

/** The limits that hold for a permit: its license's budgets that cover it, then its rates, then its slots. */
export function limitsFor(
  pockets: Pockets,
  permit: Permit,
  { now, broken }: { now: Instant; broken: ReadonlySet<string> },
): readonly Limit[] {
  const { licensed } = permit
  const { terms } = licensed.revision
  const limits: Limit[] = []
  for (const budget of terms.budgets)
    if (covers(budget, permit)) {
      const limit = limitOf(budget, licensed.revision.revision)
      const isBroken = broken.has(budgetName(budget))
      const pocket = isBroken
        ? pockets.budget(budgetAccount(permit, budget, now, breakGlassSuffix), overrunOf(limit, terms.breakGlass))
        : pockets.budget(budgetAccount(permit, budget, now), limit)
      limits.push({ kind: 'budget', meter: budget.meter, pocket })
    }
  const owner = `${licensed.principal.tenant.tenantId}/${licensed.license}`
  const { requestsPerMinute, tokensPerMinute, concurrency } = terms.rates
  if (requestsPerMinute !== undefined)
    limits.push({ kind: 'rate', meter: 'requests', pocket: pockets.rate(`${owner}/requests`, requestsPerMinute) })
  if (tokensPerMinute !== undefined)
    limits.push({ kind: 'rate', meter: 'tokens', pocket: pockets.rate(`${owner}/tokens`, tokensPerMinute) })
  if (concurrency !== undefined) {
    const limit = { limit: BigInt(concurrency), revision: licensed.revision.revision }
    limits.push({ kind: 'budget', meter: 'concurrency', pocket: pockets.budget(slotAccount(permit), limit) })
  }
  return limits
}

const covers = (budget: Budget, permit: Permit): boolean =>
  (budget.model === undefined || budget.model === permit.model.model) &&
  (budget.application === undefined || budget.application === permit.licensed.principal.application.application) &&
  (budget.facility === undefined || budget.facility === permit.facility.facility)

/** What a broken glass lends is an account of its own, so that it is capped, exact and told apart like any budget. */
export const breakGlassSuffix = '/break-glass'

/** So much of the budget once more, rounded down. */
const overrunOf = ({ limit, revision }: AccountLimit, breakGlass: { percent: number } | undefined): AccountLimit => ({
  limit: limit === null ? null : (limit * BigInt(breakGlass?.percent ?? 0)) / 100n,
  revision,
})

/**
 * Whether the license lets a call break the glass: for treatment, when a budget has ended in the middle of a shift. An
 * evaluation treats nobody.
 */
export const mayBreakGlass = ({ licensed, purpose }: Permit): boolean =>
  licensed.revision.terms.breakGlass !== undefined && clinicalPurposes.has(purpose)

function budgetAccount(permit: Permit, budget: Budget, now: Instant, suffix = ''): Account {
  const { licensed } = permit
  const term = { start: licensed.revision.termStart, end: licensed.revision.termEnd }
  const period = periodOf(budget.per, term, now)
  return accountOf({
    tenantId: licensed.principal.tenant.tenantId,
    license: licensed.license,
    budget: budgetName(budget) + suffix,
    periodStart: period.start,
    periodEnd: period.end,
  })
}

const slotAccount = (permit: Permit): Account =>
  accountOf({
    tenantId: permit.licensed.principal.tenant.tenantId,
    license: permit.licensed.license,
    budget: 'concurrency',
    periodStart: always.start,
    periodEnd: always.end,
  })

/** A budget's limit in its meter's units; null when an overage is allowed, which is then only counted. */
export function limitOf(budget: Budget, revision: number): AccountLimit {
  if (budget.overage === 'allow') return { limit: null, revision }
  if (budget.meter !== 'cost') return { limit: BigInt(budget.limit), revision }
  const amount = parseAmount(budget.limit)
  assert(amount !== undefined, 'the terms of a license were read through their schema')
  return { limit: amount, revision }
}
