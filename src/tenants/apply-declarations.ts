import type { Instant, Result } from '../kernel/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import { lockCatalog } from '../release/index.ts'
import type { Declarations } from './declarations.ts'
import { loadCurrent } from './store-current.ts'
import type { Plan } from './change.ts'
import { planChanges } from './plan-changes.ts'
import type { Problem } from './problem.ts'
import { applyChanges } from './store.ts'

/** Who stands beside a license revision that came from the tree. */
const recordedBy = 'declarations'

/**
 * Brings the database to what the tree says, all of it or nothing, in one transaction. Two that apply at once do so one
 * after the other: the second compares with what the first has written, and then has nothing to write.
 * @returns what was done, or why it must not be.
 * @throws Failure when the database cannot be reached.
 */
export async function applyDeclarations(
  database: Database,
  declarations: Declarations,
  now: Instant,
): Promise<Result<Plan, readonly Problem[]>> {
  return systemTransaction(database, 'apply-declarations', async (tx) => {
    await lockCatalog(tx)
    const plan = planChanges(await loadCurrent(tx, now), declarations, now)
    if (plan.ok) await applyChanges(tx, plan.value.changes, { recordedBy, now })
    return plan
  })
}

/** The same plan, and nothing done. */
export async function planDeclarations(
  database: Database,
  declarations: Declarations,
  now: Instant,
): Promise<Result<Plan, readonly Problem[]>> {
  return systemTransaction(database, 'apply-declarations', async (tx) =>
    planChanges(await loadCurrent(tx, now), declarations, now),
  )
}
