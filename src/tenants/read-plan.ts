import { err, ok, type Result } from '../kernel/index.ts'
import type { PlanFacts } from '../billing/index.ts'
import { planDocument } from './document.ts'
import type { Problem } from './problem.ts'
import { readPlanFile, type DeclarationFile } from './read-declarations.ts'

/** A plan out of a file in the form of `tenants/plans/<plan>.yaml`, with the document that its digest is of. */
export function readPlan(file: DeclarationFile): Result<PlanFacts, readonly Problem[]> {
  const read = readPlanFile(file)
  if (!read.ok) return err(read.error)
  const { plan, currency, prices, ...terms } = read.value.value
  const row = { plan, currency, prices, terms }
  return ok({ document: planDocument(row), plan: row })
}
