import { err, type Instant, type Result } from '../kernel/index.ts'
import { systemTransaction, type Database, type Tx } from '../db/index.ts'
import { areTwoPeople, type Actor } from '../identity/index.ts'
import type { Deciders } from '../licensing/index.ts'
import { lockCatalog } from '../release/index.ts'
import type { Declarations } from './declarations.ts'
import { loadCurrent } from './store-current.ts'
import type { Plan } from './change.ts'
import { planChanges } from './plan-changes.ts'
import { sortProblems, type Problem } from './problem.ts'
import { applyChanges } from './store.ts'

/** Who applies a tree, and who has read it besides: a tree is the work of an office, whoever types the command. */
export function declaredBy(names: { by: string; approvedBy: string | undefined; now: Instant }): Deciders {
  const actor = (name: string): Actor => ({ kind: 'declarations', name, roles: ['licensing'], tenantId: undefined })
  return {
    actor: actor(names.by),
    approvedBy: names.approvedBy === undefined ? undefined : actor(names.approvedBy),
    now: names.now,
  }
}

/**
 * Brings the database to what the tree says, all of it or nothing, in one transaction. Two that apply at once do so one
 * after the other: the second compares with what the first has written, and then has nothing to write.
 * @returns what was done, or why it must not be.
 * @throws Failure when the database cannot be reached.
 */
export async function applyDeclarations(
  database: Database,
  declarations: Declarations,
  by: Deciders,
): Promise<Result<Plan, readonly Problem[]>> {
  return systemTransaction(database, 'apply-declarations', (tx) => applyDeclarationsIn(tx, declarations, by))
}

/** The same, within what else its transaction does. */
export async function applyDeclarationsIn(
  tx: Tx,
  declarations: Declarations,
  by: Deciders,
): Promise<Result<Plan, readonly Problem[]>> {
  await lockCatalog(tx)
  const current = await loadCurrent(tx, by.now)
  const plan = planChanges(current, declarations, by.now)
  if (!plan.ok) return plan
  if (!areTwoPeople(by.actor, by.approvedBy) && plan.value.widening.length > 0)
    return err(secondPersonProblems(declarations, plan.value))
  const before = new Map(current.license.map(({ row }) => [row.license, row]))
  await applyChanges(tx, plan.value.changes, { ...by, before })
  return plan
}

function secondPersonProblems(declarations: Declarations, { widening }: Plan): readonly Problem[] {
  const words = new Map(widening.map(({ license, widens }) => [license, widens]))
  return sortProblems(
    declarations.tenants.flatMap(({ license: { value, source } }) => {
      const widens = words.get(value.license)
      if (widens === undefined) return []
      return [
        source.problem(['license'], {
          message: `${value.license} would allow more than now: ${widens.join('; ')}`,
          advice:
            'name the second person who has read it: formulary tenants apply --approved-by NAME, another one than --by',
        }),
      ]
    }),
  )
}

/** The same plan, and nothing done. */
export async function planDeclarations(
  database: Database,
  declarations: Declarations,
  now: Instant,
): Promise<Result<Plan, readonly Problem[]>> {
  return systemTransaction(database, 'apply-declarations', (tx) => planDeclarationsIn(tx, declarations, now))
}

export const planDeclarationsIn = async (
  tx: Tx,
  declarations: Declarations,
  now: Instant,
): Promise<Result<Plan, readonly Problem[]>> => planChanges(await loadCurrent(tx, now), declarations, now)
