export { EntryQueue, type QueueNeeds } from './entry-queue.ts'
export {
  agentKinds,
  canonicalEntry,
  houseId,
  type Agent,
  type AgentKind,
  type AuditEntry,
  type AuditFacts,
} from './entry.ts'
export {
  appendAuditEntries,
  appendAuditEntry,
  ensureAuditMonths,
  loadAuditEntries,
  type AuditCursor,
  type AuditQuery,
  type RecordedEntry,
} from './store.ts'
