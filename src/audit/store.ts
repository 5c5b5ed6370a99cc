import { sql } from 'kysely'
import { z } from 'zod'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { agentKinds, houseId, rowOf, type AuditEntry } from './entry.ts'

/** Writes an entry, in the transaction of what it records: both stand or neither. */
export async function appendAuditEntry(tx: Tx, entry: AuditEntry): Promise<void> {
  await tx.insertInto('audit_entry').values(rowOf(entry)).execute()
}

/** How many go in one statement: PostgreSQL takes 65,535 values in it. */
const portionMax = 1_000

export async function appendAuditEntries(tx: Tx, entries: readonly AuditEntry[]): Promise<void> {
  for (let from = 0; from < entries.length; from += portionMax)
    await tx
      .insertInto('audit_entry')
      .values(entries.slice(from, from + portionMax).map(rowOf))
      .execute()
}

/** An entry as it stands in the table. */
export interface RecordedEntry extends AuditEntry {
  readonly entryId: Uuid
  readonly recordedAt: Instant
}

export interface AuditCursor {
  readonly recordedAt: Instant
  readonly entryId: Uuid
}

export interface AuditQuery {
  /** Undefined: of everybody, for the owner's own people. */
  readonly tenantId: Uuid | undefined
  readonly entity?: { readonly type: string; readonly id: string } | undefined
  readonly action?: string | undefined
  /** [from, to) of the recording. */
  readonly from: Instant
  readonly to: Instant
  readonly after?: AuditCursor | undefined
  readonly limit: number
}

/** Oldest first. */
export async function loadAuditEntries(tx: Tx, query: AuditQuery): Promise<readonly RecordedEntry[]> {
  const { after, entity, action } = query
  let select = tx
    .selectFrom('audit_entry')
    .selectAll()
    .where('recorded_at', '>=', new Date(query.from))
    .where('recorded_at', '<', new Date(query.to))
    .orderBy('recorded_at')
    .orderBy('entry_id')
    .limit(query.limit)
  if (query.tenantId !== undefined) select = select.where('tenant_id', '=', query.tenantId)
  if (action !== undefined) select = select.where('action', '=', action)
  if (entity !== undefined) select = select.where('entity_type', '=', entity.type).where('entity_id', '=', entity.id)
  if (after !== undefined)
    select = select.where(
      sql<boolean>`(recorded_at, entry_id) > (${new Date(after.recordedAt)}, ${after.entryId}::uuid)`,
    )
  const rows = await select.execute()
  return rows.map((row) => ({
    entryId: row.entry_id,
    recordedAt: instantOf(row.recorded_at),
    tenantId: row.tenant_id === houseId ? undefined : row.tenant_id,
    at: instantOf(row.at),
    action: row.action,
    agent: { kind: z.enum(agentKinds).parse(row.agent_kind), name: row.agent_name, roles: row.agent_roles },
    approvedBy: row.approved_by === null ? undefined : { kind: 'person', name: row.approved_by, roles: [] },
    entity: { type: row.entity_type, id: row.entity_id, revision: row.entity_revision ?? undefined },
    purpose: row.purpose ?? undefined,
    outcome: z.enum(['done', 'refused', 'asked']).parse(row.outcome),
    reason: row.reason ?? undefined,
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])).parse(row.facts),
  }))
}

/** Makes the partitions of this month and the next three, those that are missing. */
export async function ensureAuditMonths(tx: Tx): Promise<void> {
  await sql`select ensure_audit_months(0, 3)`.execute(tx)
}
