export { Stage, stageReaches, stages } from './stage.ts'
