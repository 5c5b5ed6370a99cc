import { err, isoOf, ok, type Instant, type Result, type Uuid } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, type Actor } from '../identity/index.ts'
import type { Stage } from '../policy/index.ts'
import { noticeEndsAt, tenantsToNotify } from './promotion.ts'
import {
  appendAcknowledgement,
  appendNotice,
  findNoticeDays,
  loadNotices,
  loadPins,
  loadVersions,
  lockCatalog,
  type NoticeRecord,
} from './store.ts'

export type NoticeRefusal =
  | { reason: 'version_not_found'; model: string; version: string }
  | { reason: 'notice_too_short'; days: number; daysMin: number }
  | { reason: 'nobody_to_notify'; model: string; version: string }
  | { reason: 'notice_not_found'; noticeId: string }

/** Tells every tenant whose pin is older, and whom the version would reach at a stage, that it is coming. */
export async function issueNotice(
  tx: Tx,
  wish: {
    model: string
    version: string
    to: Stage
    days: number | undefined
    summary: string
    actor: Actor
    now: Instant
  },
): Promise<Result<readonly { tenant: string; noticeId: Uuid; effectiveAt: Instant }[], NoticeRefusal>> {
  await lockCatalog(tx)
  const { model, version, now } = wish
  if (!(await loadVersions(tx)).has(`${model}@${version}`)) return err({ reason: 'version_not_found', model, version })
  const daysMin = await findNoticeDays(tx, model)
  const days = wish.days ?? daysMin
  if (days < daysMin) return err({ reason: 'notice_too_short', days, daysMin })
  const tenants = tenantsToNotify({ model, version, pins: await loadPins(tx, now) }, wish.to)
  if (tenants.length === 0) return err({ reason: 'nobody_to_notify', model, version })
  const effectiveAt = noticeEndsAt(now, days)
  const issued = []
  for (const tenant of tenants) {
    const noticeId = await appendNotice(tx, {
      tenant,
      kind: 'new_version',
      model,
      version,
      summary: wish.summary,
      issuedAt: now,
      effectiveAt,
      issuedBy: wish.actor.name,
    })
    if (noticeId !== undefined) issued.push({ tenant, noticeId, effectiveAt })
  }
  await appendAuditEntry(tx, {
    tenantId: undefined,
    at: now,
    action: 'notice.issue',
    agent: agentOf(wish.actor),
    entity: { type: 'version', id: `${model}@${version}` },
    outcome: 'done',
    reason: wish.summary,
    facts: { tenants: issued.map(({ tenant }) => tenant), effectiveAt: isoOf(effectiveAt) },
  })
  return ok(issued)
}

/** In a transaction of the tenant only its own notices are found. */
export async function acknowledgeNotice(
  tx: Tx,
  wish: { noticeId: Uuid; actor: Actor; now: Instant },
): Promise<Result<Uuid, NoticeRefusal>> {
  const found = await appendAcknowledgement(tx, { noticeId: wish.noticeId, at: wish.now, by: wish.actor.name })
  if (found === undefined) return err({ reason: 'notice_not_found', noticeId: wish.noticeId })
  await appendAuditEntry(tx, {
    tenantId: found.tenantId,
    at: wish.now,
    action: 'notice.acknowledge',
    agent: agentOf(wish.actor),
    entity: { type: 'notice', id: wish.noticeId },
    outcome: 'done',
    facts: {},
  })
  return ok(wish.noticeId)
}

/** Those that nobody has acknowledged, or all. */
export async function listNotices(tx: Tx, which: 'open' | 'all'): Promise<readonly NoticeRecord[]> {
  const notices = await loadNotices(tx)
  return which === 'all' ? notices : notices.filter(({ acknowledged }) => acknowledged === undefined)
}
