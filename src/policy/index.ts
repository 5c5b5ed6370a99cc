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
export { Stage, stageReaches, stages } from './stage.ts'
