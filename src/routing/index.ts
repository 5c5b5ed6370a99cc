export {
  answerBytesMax,
  callDeployments,
  type Answered,
  type CallNeeds,
  type Deadlines,
  type FailedAttempt,
  type RoutingRefusal,
} from './call-deployments.ts'
export { CallerLeft } from './caller-left.ts'
export { loadCatalog, type Catalog, type CatalogModel, type Deployment, type ServedVersion } from './catalog.ts'
export { choose, type ChooseNeeds } from './choose.ts'
export { Circuits } from './circuit.ts'
export { relayStream, type BrokenOff, type RelayBody, type StreamEnd, type StreamOutcome } from './relay-stream.ts'
export { contentBytes, SseReader } from './sse-reader.ts'
export type { Upstream, UpstreamAnswer, UpstreamCall, UpstreamRequest } from './upstream.ts'
export { readUsage, settledUsage, type Delivered, type ReportedUsage, type Usage } from './usage.ts'
