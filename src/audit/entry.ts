import { canonicalJson, isoOf, type Instant, type Uuid } from '../kernel/index.ts'

/** Who did it. `application`: a tenant's program, by its calls; `system`: a job of ours. */
export const agentKinds = ['person', 'token', 'bootstrap', 'command', 'declarations', 'application', 'system'] as const
export type AgentKind = (typeof agentKinds)[number]

export interface Agent {
  readonly kind: AgentKind
  /** As the identity provider, the token or the declarations name them; at most 200 characters. */
  readonly name: string
  readonly roles: readonly string[]
}

/** Facts are ids, codes, counts and times: nothing that a prompt or an answer said, and no secret. */
export type AuditFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>

/**
 * One act and who did it, to what, why and with which outcome: what FHIR's AuditEvent (R4, section 3.1) asks for, and
 * nothing of the content.
 */
export interface AuditEntry {
  /** Whom it concerns; undefined: the house itself (a model, a price book, a policy of the owner). */
  readonly tenantId: Uuid | undefined
  readonly at: Instant
  /** `<entity>.<verb>`, such as `license.suspend`. */
  readonly action: string
  readonly agent: Agent
  /** The second person, where two are needed. */
  readonly approvedBy?: Agent | undefined
  readonly entity: { readonly type: string; readonly id: string; readonly revision?: string | undefined }
  /** HL7 v3 purpose of use, of a call. */
  readonly purpose?: string | undefined
  /** `asked`: the first of two people has asked for it. */
  readonly outcome: 'done' | 'refused' | 'asked'
  /** Why, in the words of who did it; of a refusal, its code. */
  readonly reason?: string | undefined
  readonly facts: AuditFacts
}

/** The house itself, where a tenant stands otherwise. */
export const houseId: Uuid = '00000000-0000-0000-0000-000000000000'

const cut = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`

/** As the table keeps it: bounded, whoever wrote the words. */
export function rowOf(entry: AuditEntry) {
  return {
    tenant_id: entry.tenantId ?? houseId,
    at: new Date(entry.at),
    action: entry.action,
    agent_kind: entry.agent.kind,
    agent_name: cut(entry.agent.name, 200),
    agent_roles: [...entry.agent.roles],
    approved_by: entry.approvedBy === undefined ? null : cut(entry.approvedBy.name, 200),
    entity_type: entry.entity.type,
    entity_id: cut(entry.entity.id, 300),
    entity_revision: entry.entity.revision ?? null,
    purpose: entry.purpose ?? null,
    outcome: entry.outcome,
    reason: entry.reason === undefined ? null : cut(entry.reason, 2000),
    facts: JSON.stringify(entry.facts),
  }
}

/**
 * The one text of an entry (RFC 8785), from what stands in its row: what a verifiable log hashes. An entry that is
 * changed afterwards has another text.
 */
export function canonicalEntry(entry: AuditEntry & { readonly entryId: Uuid; readonly recordedAt: Instant }): string {
  const { agent, entity } = entry
  return canonicalJson({
    id: entry.entryId,
    tenant: entry.tenantId ?? null,
    recorded: isoOf(entry.recordedAt),
    at: isoOf(entry.at),
    action: entry.action,
    agent: { kind: agent.kind, name: agent.name, roles: agent.roles },
    approvedBy: entry.approvedBy?.name ?? null,
    entity: { type: entity.type, id: entity.id, revision: entity.revision ?? null },
    purpose: entry.purpose ?? null,
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    facts: entry.facts,
  })
}
