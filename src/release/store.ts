import { sql } from 'kysely'
import { instantOf, type Instant, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { TenantKind } from '../identity/index.ts'
import { licenseState, loadLicenses, revisionAt } from '../licensing/index.ts'
import { Stage } from '../policy/index.ts'
import { Card } from './card.ts'
import type { IssuedNotice, PinHolder } from './promotion.ts'
import { SignOffRole, standingOf, type Standing, type VersionAct } from './standing.ts'

export interface VersionRecord {
  readonly model: string
  readonly version: string
  readonly digest: string
  /** The names by which model hosts know it. */
  readonly upstream: readonly string[]
  readonly acts: readonly VersionAct[]
  /** Where it began. */
  readonly firstStage: Stage
  readonly standing: Standing
  readonly card: CardRevision | undefined
}

/** The newest of a card's revisions. */
export interface CardRevision {
  readonly revision: number
  readonly card: Card
  readonly digest: string
}

/** One change of the catalog at a time, whoever makes it: the lock of `tenants apply`. */
export const lockCatalog = async (tx: Tx): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(hashtext('formulary.declarations'))`.execute(tx))

/** Every version with what was done to it, by `model@version`. */
export async function loadVersions(tx: Tx): Promise<ReadonlyMap<string, VersionRecord>> {
  const versions = await tx
    .selectFrom('model_version')
    .select(['model', 'version', 'first_stage', 'upstream', 'digest_sha256'])
    .execute()
  const acts = await tx.selectFrom('version_act').selectAll().orderBy('act_seq').execute()
  const cards = await tx
    .selectFrom('version_card')
    .selectAll()
    .distinctOn(['model', 'version'])
    .orderBy('model')
    .orderBy('version')
    .orderBy('revision', 'desc')
    .execute()
  const nameOf = (row: { model: string; version: string }) => `${row.model}@${row.version}`
  const actsOf = Map.groupBy(acts, nameOf)
  const cardOf = new Map(cards.map((row) => [nameOf(row), row]))
  return new Map(
    versions.map((row): [string, VersionRecord] => {
      const known = (actsOf.get(nameOf(row)) ?? []).map(actOf)
      const card = cardOf.get(nameOf(row))
      return [
        nameOf(row),
        {
          model: row.model,
          version: row.version,
          digest: hex(row.digest_sha256),
          upstream: row.upstream,
          acts: known,
          firstStage: Stage.parse(row.first_stage),
          standing: standingOf(Stage.parse(row.first_stage), known),
          card:
            card === undefined
              ? undefined
              : { revision: card.revision, card: Card.parse(card.card), digest: hex(card.card_sha256) },
        },
      ]
    }),
  )
}

interface ActRow {
  act: string
  from_stage: string | null
  to_stage: string | null
  role: string | null
  reason: string
  effective_at: Date
  recorded_by: string
}

function actOf(row: ActRow): VersionAct {
  const { reason, recorded_by: by } = row
  const at = instantOf(row.effective_at)
  if (row.act === 'promote' || row.act === 'demote')
    return { act: row.act, from: Stage.parse(row.from_stage), to: Stage.parse(row.to_stage), reason, by, at }
  if (row.act === 'recall') return { act: 'recall', reason, by, at }
  return { act: 'sign_off', to: Stage.parse(row.to_stage), role: SignOffRole.parse(row.role), reason, by, at }
}

export async function appendVersionAct(tx: Tx, model: string, version: string, act: VersionAct): Promise<void> {
  await tx
    .insertInto('version_act')
    .values({
      model,
      version,
      act: act.act,
      from_stage: 'from' in act ? act.from : null,
      to_stage: 'to' in act ? act.to : null,
      role: 'role' in act ? act.role : null,
      reason: act.reason,
      effective_at: new Date(act.at),
      recorded_by: act.by,
    })
    .execute()
}

/** A revision after those that are there. `document` is its canonical JSON, whose digest the database makes. */
export async function appendCard(
  tx: Tx,
  row: { model: string; version: string; card: Card; document: string; by: string },
): Promise<void> {
  await sql`
    insert into version_card (model, version, revision, card, card_sha256, recorded_by)
    select ${row.model}, ${row.version}, coalesce(max(revision), 0) + 1, ${JSON.stringify(row.card)}::jsonb,
      sha256(convert_to(${row.document}, 'UTF8')), ${row.by}
    from version_card where model = ${row.model} and version = ${row.version}`.execute(tx)
}

/** Pins of the licenses that are in force, or will be, and were not revoked. */
export async function loadPins(tx: Tx, now: Instant): Promise<readonly PinHolder[]> {
  const tenants = await tx
    .selectFrom('tenant')
    .select(['tenant_id', 'tenant', 'kind'])
    .where('ended_at', 'is', null)
    .execute()
  const tenantOf = new Map(tenants.map((row) => [row.tenant_id, row]))
  return (await loadLicenses(tx, 'all')).flatMap((facts) => {
    const tenant = tenantOf.get(facts.tenantId)
    const revision = revisionAt(facts, now) ?? facts.revisions[0]
    if (tenant === undefined || revision === undefined) return []
    const { state } = licenseState(facts, revision, now)
    if (state === 'revoked' || state === 'expired') return []
    const kind = TenantKind.parse(tenant.kind)
    return revision.terms.entitlements.map((entitlement) => ({ tenant: tenant.tenant, kind, entitlement }))
  })
}

export interface NoticeRecord extends IssuedNotice {
  readonly noticeId: Uuid
  readonly kind: 'new_version' | 'sunset'
  readonly summary: string
  readonly issuedAt: Instant
  readonly issuedBy: string
  readonly acknowledged: { readonly at: Instant; readonly by: string } | undefined
}

/** Every notice, the newest first; those of a tenant when the transaction is a tenant's. */
export async function loadNotices(tx: Tx): Promise<readonly NoticeRecord[]> {
  const rows = await tx
    .selectFrom('change_notice')
    .innerJoin('tenant', 'tenant.tenant_id', 'change_notice.tenant_id')
    .leftJoin('change_notice_acknowledgement as read', (join) =>
      join
        .onRef('read.tenant_id', '=', 'change_notice.tenant_id')
        .onRef('read.notice_id', '=', 'change_notice.notice_id'),
    )
    .select([
      'tenant.tenant',
      'change_notice.notice_id',
      'change_notice.kind',
      'model',
      'version',
      'summary',
      'issued_at',
      'effective_at',
      'issued_by',
      'acknowledged_at',
      'acknowledged_by',
    ])
    .orderBy('change_notice.notice_id', 'desc')
    .limit(noticesMax)
    .execute()
  return rows.map((row) => ({
    tenant: row.tenant,
    noticeId: row.notice_id,
    kind: row.kind === 'sunset' ? 'sunset' : 'new_version',
    model: row.model,
    version: row.version,
    summary: row.summary,
    issuedAt: instantOf(row.issued_at),
    effectiveAt: instantOf(row.effective_at),
    issuedBy: row.issued_by,
    acknowledged:
      row.acknowledged_at === null ? undefined : { at: instantOf(row.acknowledged_at), by: row.acknowledged_by ?? '' },
  }))
}

const noticesMax = 100_000

export async function appendNotice(
  tx: Tx,
  notice: Omit<NoticeRecord, 'noticeId' | 'acknowledged'>,
): Promise<Uuid | undefined> {
  const row = await tx
    .insertInto('change_notice')
    .columns(['tenant_id', 'kind', 'model', 'version', 'summary', 'issued_at', 'effective_at', 'issued_by'])
    .expression((eb) =>
      eb
        .selectFrom('tenant')
        .select([
          'tenant_id',
          sql<string>`${notice.kind}`.as('kind'),
          sql<string>`${notice.model}`.as('model'),
          sql<string>`${notice.version}`.as('version'),
          sql<string>`${notice.summary}`.as('summary'),
          sql<Date>`${new Date(notice.issuedAt)}::timestamptz`.as('issued_at'),
          sql<Date>`${new Date(notice.effectiveAt)}::timestamptz`.as('effective_at'),
          sql<string>`${notice.issuedBy}`.as('issued_by'),
        ])
        .where('tenant', '=', notice.tenant),
    )
    .returning('notice_id')
    .executeTakeFirst()
  return row?.notice_id
}

/** The first acknowledgement stays. Returns undefined when there is no such notice in the transaction's scope. */
export async function appendAcknowledgement(
  tx: Tx,
  read: { noticeId: Uuid; at: Instant; by: string },
): Promise<{ tenantId: Uuid } | undefined> {
  const notice = await tx
    .selectFrom('change_notice')
    .select(['tenant_id', 'notice_id'])
    .where('notice_id', '=', read.noticeId)
    .executeTakeFirst()
  if (notice === undefined) return undefined
  await tx
    .insertInto('change_notice_acknowledgement')
    .values({ ...notice, acknowledged_at: new Date(read.at), acknowledged_by: read.by })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'notice_id']).doNothing())
    .execute()
  return { tenantId: notice.tenant_id }
}

export async function findNoticeDays(tx: Tx, model: string): Promise<number> {
  const row = await tx.selectFrom('model').select('notice_days').where('model', '=', model).executeTakeFirst()
  return row?.notice_days ?? 0
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
