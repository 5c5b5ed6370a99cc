export {
  applyDeclarations,
  applyDeclarationsIn,
  declaredBy,
  planDeclarations,
  planDeclarationsIn,
} from './apply-declarations.ts'
export type { Declarations } from './declarations.ts'
export { formatPlan } from './format-plan.ts'
export { jsonSchemas, policySchema } from './json-schemas.ts'
export { loadCurrent } from './store-current.ts'
export type { Change, Current, FieldChange, Plan } from './change.ts'
export { planChanges } from './plan-changes.ts'
export { fileProblem, formatProblem, inFolder, sortProblems, type Problem } from './problem.ts'
export { readDeclarations, type DeclarationFile } from './read-declarations.ts'
export { readGrant } from './read-grant.ts'
export { readPlan } from './read-plan.ts'
export { applyChanges } from './store.ts'
