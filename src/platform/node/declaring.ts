import { err, ok, type Result } from '../../kernel/index.ts'
import type { Declaring, PlannedChanges } from '../../admin/index.ts'
import {
  applyDeclarationsIn,
  formatPlan,
  planDeclarationsIn,
  readDeclarations,
  readGrant,
  type Declarations,
  type DeclarationFile,
  type Plan,
  type Problem,
} from '../../tenants/index.ts'
import { provideNodeCedar } from './cedar.ts'

/** The reader of `tenants/` for the control plane: the very one that `formulary tenants` uses. */
export const declaring: Declaring = {
  readGrant: (tx, tenant, text, now) => readGrant(tx, tenant, { path: 'grant', text }, now),
  async plan(tx, files, now) {
    const declarations = read(files)
    return declarations.ok ? told(await planDeclarationsIn(tx, declarations.value, now)) : declarations
  },
  async apply(tx, files, by) {
    const declarations = read(files)
    return declarations.ok ? told(await applyDeclarationsIn(tx, declarations.value, by)) : declarations
  },
}

function read(files: readonly DeclarationFile[]): Result<Declarations, readonly Problem[]> {
  provideNodeCedar()
  return readDeclarations(files)
}

/** Names, not ids, and no row of the database. */
const told = (plan: Result<Plan, readonly Problem[]>): Result<PlannedChanges, readonly Problem[]> =>
  plan.ok
    ? ok({
        changes: plan.value.changes.map(({ row: _row, ...change }) => change),
        notes: plan.value.notes,
        widening: plan.value.widening,
        text: formatPlan(plan.value),
      })
    : err(plan.error)
