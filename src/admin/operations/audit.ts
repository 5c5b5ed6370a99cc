import { z } from '@hono/zod-openapi'
import { err, instant, isoOf, isUuid, ok, plusMs } from '../../kernel/index.ts'
import { loadAuditEntries, type RecordedEntry } from '../../audit/index.ts'
import { defineOperation } from '../operation.ts'
import { At, cursorOf, dayMs, instantOfText, Name, page, Paging, partsOf } from '../parts.ts'
import { notFound } from '../refusal.ts'
import { findTenant } from './tenants.ts'

const Entry = z
  .object({
    entry: z.string(),
    recorded_at: z.string(),
    at: z.string(),
    action: z.string(),
    agent: z.object({ kind: z.string(), name: z.string(), roles: z.array(z.string()) }),
    approved_by: z.string().nullable(),
    entity: z.object({ type: z.string(), id: z.string(), revision: z.string().nullable() }),
    purpose: z.string().nullable(),
    outcome: z.enum(['done', 'refused', 'asked']),
    reason: z.string().nullable(),
    facts: z.looseObject({}),
  })
  .openapi('AuditEntry')

const shown = (entry: RecordedEntry) => ({
  entry: entry.entryId,
  recorded_at: isoOf(entry.recordedAt),
  at: isoOf(entry.at),
  action: entry.action,
  agent: { kind: entry.agent.kind, name: entry.agent.name, roles: entry.agent.roles },
  approved_by: entry.approvedBy?.name ?? null,
  entity: { type: entry.entity.type, id: entry.entity.id, revision: entry.entity.revision ?? null },
  purpose: entry.purpose ?? null,
  outcome: entry.outcome,
  reason: entry.reason ?? null,
  facts: entry.facts,
})

export const listAuditEntries = defineOperation({
  id: 'listAuditEntries',
  method: 'get',
  path: '/audit',
  tag: 'audit',
  summary: 'Who did what, and what was refused, in the order in which it was recorded',
  roles: ['owner-admin', 'licensing', 'auditor', 'tenant-admin'],
  query: z.strictObject({
    ...Paging,
    from: At.optional().openapi({ description: 'A day ago, when it is left out.' }),
    to: At.optional(),
    tenant: Name.optional(),
    action: Name.optional(),
    entity_type: Name.optional(),
    entity_id: Name.optional(),
  }),
  answer: page(Entry),
  async run({ tx, by }, { query }) {
    const cursor = partsOf(query.after, 2)
    if (!cursor.ok) return cursor
    const [recordedAt = '', entryId = ''] = cursor.value ?? []
    const since = instantOfText(recordedAt)
    const after = since !== undefined && isUuid(entryId) ? { recordedAt: since, entryId } : undefined
    const tenant = query.tenant === undefined ? undefined : await findTenant(tx, query.tenant)
    if (query.tenant !== undefined && tenant === undefined) return err([notFound('tenant', query.tenant)])
    const { entity_type: type, entity_id: id } = query
    const found = await loadAuditEntries(tx, {
      tenantId: tenant?.tenant_id ?? by.actor.tenantId,
      entity: type !== undefined && id !== undefined ? { type, id } : undefined,
      action: query.action,
      from: instant(query.from ?? by.now - dayMs),
      to: instant(query.to ?? plusMs(by.now, 1_000)),
      after,
      limit: query.limit + 1,
    })
    const entries = found.slice(0, query.limit)
    const last = entries.at(-1)
    const next =
      found.length > query.limit && last !== undefined ? cursorOf([isoOf(last.recordedAt), last.entryId]) : null
    return ok({ body: { data: entries.map(shown), next } })
  },
})
