export { askPolicies, decideByCedar, type AskNeeds, type PolicyQuestion } from './ask-policies.ts'
export { provideCedar, type CedarCode } from './cedar.ts'
export { actions, attributes, cedarSchema, named, words, type NamedType } from './cedar-schema.ts'
export {
  decide,
  objectionsUnder,
  usableModels,
  type Asked,
  type ModelFacts,
  type Permit,
  type PolicyNeeds,
  type PolicyRefusal,
  type UsableModel,
  type VersionFacts,
} from './decide.ts'
export { inspectPolicy, validatePolicies, type CedarFault, type InspectedPolicy } from './inspect-policy.ts'
export { KeptDecisions } from './kept-decisions.ts'
export { KeptPolicies, type KeptPolicy, type PoliciesInForce, type PolicyRevision } from './policy-revision.ts'
export type { DecidingPolicy, PolicyVerdict } from './policy-verdict.ts'
export { protocols, type Protocol } from './protocol.ts'
export { splitPolicies, type PolicyExcess, type PolicyPiece } from './split-policies.ts'
export { Stage, stageReaches, stages } from './stage.ts'
export { loadOwnerPolicies, loadTenantPolicies } from './store.ts'
export { decideUse, inPrecedence, precedence, type Decision, type DecisionReason } from './decision.ts'
