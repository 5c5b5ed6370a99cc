import { sql } from 'kysely'
import { instantOf, isoOf, plusMs, type Instant, type Uuid } from '../kernel/index.ts'
import { appendAuditEntries, appendAuditEntry, houseId } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, Role, type Actor } from './actor.ts'
import { findLiveToken } from './admin-token.ts'
import type { ProviderFacts } from './sign-in/provider-facts.ts'
import { personName, type Nobody, type Person } from './sign-in/read-person.ts'

/** A working day, whatever is done meanwhile. */
export const sessionSecondsMax = 8 * 3_600
/** A desk that somebody left. */
export const idleSeconds = 1_800
/** Each request would be a write otherwise; the idle end is so much inexact. */
const noteEverySeconds = 60
/** Browsers of one person; the session that began longest ago gives way. */
const sessionsOfOneMax = 10
/** A list is one page; so many are ended at a time. */
export const sessionsMax = 1_000
const keepDays = 90

/** Somebody's session, as it is found by what their browser shows. */
export interface LiveSession {
  readonly sessionId: Uuid
  readonly actor: Actor
  /** The tenant at whose provider the person has signed in; undefined for whoever showed a token. */
  readonly providerOf: Uuid | undefined
  readonly endsAt: Instant
}

/** Without its secret, as others see it. */
export interface SessionSummary {
  readonly sessionId: Uuid
  readonly kind: 'person' | 'token'
  /** As audit entries name them. */
  readonly name: string
  readonly shownAs: string
  readonly roles: readonly Role[]
  /** Undefined: the owner's own people. */
  readonly tenant: string | undefined
  readonly beganAt: Instant
  readonly usedAt: Instant
  readonly endsAt: Instant
}

export interface NewSession {
  readonly secretSha256: Uint8Array
  readonly now: Instant
}

/** Of an owner's person: all tenants. A provider gives roles of its own tenant and of no other. */
const scopeOf = ({ kind, tenantId }: ProviderFacts): Uuid | undefined => (kind === 'owner' ? undefined : tenantId)

export const personOf = (facts: ProviderFacts, person: Person): Actor => ({
  kind: 'person',
  name: personName(person),
  shownAs: person.shownAs,
  roles: person.roles,
  tenantId: scopeOf(facts),
})

/**
 * Begins a person's session. Those that began with other roles end: what the provider says today is what holds. False when the way through the
 * provider has led to one already.
 */
export async function beginPersonsSession(
  tx: Tx,
  session: NewSession,
  by: { readonly facts: ProviderFacts; readonly person: Person; readonly attemptSha256: Uint8Array },
): Promise<boolean> {
  const { facts, person, attemptSha256 } = by
  const actor = personOf(facts, person)
  const began = await tx
    .insertInto('admin_session')
    .values({
      ...columnsOf(session, actor),
      provider_tenant_id: facts.tenantId,
      provider_kind: facts.kind,
      provider_revision: facts.revision,
      issuer: person.issuer,
      subject: person.subject,
      attempt_sha256: Buffer.from(attemptSha256),
    })
    .onConflict((conflict) => conflict.column('attempt_sha256').doNothing())
    .returning('session_id')
    .executeTakeFirst()
  if (began === undefined) return false
  await endOthers(tx, actor, session.now)
  await endEarliest(tx, actor, session.now)
  await noteBeginning(tx, began.session_id, actor, session.now)
  return true
}

/** Their provider has just said that they have no role here any more. */
export const endSessionsOfNobody = (tx: Tx, facts: ProviderFacts, person: Nobody, now: Instant): Promise<void> =>
  endOthers(tx, personOf(facts, { ...person, roles: [] }), now)

async function endOthers(tx: Tx, actor: Actor, now: Instant): Promise<void> {
  const scope = actor.tenantId ?? houseId
  const { rows } = await sql<{ session_id: string }>`
    select session_id from admin_session
    where name = ${actor.name} and tenant_id = ${scope} and provider_tenant_id is not null and ended_at is null
      and not (roles @> ${[...actor.roles]}::text[] and roles <@ ${[...actor.roles]}::text[])`.execute(tx)
  for (const { session_id } of rows)
    await endSessions(tx, { sessionId: session_id }, { actor, reason: 'has other roles now', now })
}

/** Begins the session of whoever showed a token; it has the token's roles and ends with it. */
export async function beginTokensSession(
  tx: Tx,
  session: NewSession,
  by: { readonly tokenId: string; readonly actor: Actor },
): Promise<void> {
  const { session_id } = await tx
    .insertInto('admin_session')
    .values({ ...columnsOf(session, by.actor), token_id: by.tokenId })
    .returning('session_id')
    .executeTakeFirstOrThrow()
  await endEarliest(tx, by.actor, session.now)
  await noteBeginning(tx, session_id, by.actor, session.now)
}

const columnsOf = ({ secretSha256, now }: NewSession, actor: Actor) => ({
  tenant_id: actor.tenantId ?? houseId,
  secret_sha256: Buffer.from(secretSha256),
  name: actor.name,
  shown_as: actor.shownAs ?? actor.name,
  roles: [...actor.roles],
  began_at: new Date(now),
  used_at: new Date(now),
  ends_at: new Date(plusMs(now, sessionSecondsMax * 1000)),
})

async function endEarliest(tx: Tx, actor: Actor, now: Instant): Promise<void> {
  const { rows } = await sql<{ session_id: string }>`
    select session_id from admin_session where name = ${actor.name} and ended_at is null
    order by began_at desc offset ${sessionsOfOneMax} limit 100`.execute(tx)
  for (const { session_id } of rows)
    await endSessions(tx, { sessionId: session_id }, { actor, reason: 'too many sessions', now })
}

const noteBeginning = (tx: Tx, sessionId: string, actor: Actor, now: Instant): Promise<void> =>
  appendAuditEntry(tx, {
    tenantId: actor.tenantId,
    at: now,
    action: 'session.begin',
    agent: agentOf(actor),
    entity: { type: 'session', id: sessionId },
    outcome: 'done',
    facts: {
      shownAs: actor.shownAs ?? actor.name,
      roles: actor.roles,
      endsAt: isoOf(plusMs(now, sessionSecondsMax * 1000)),
    },
  })

/**
 * The session behind a secret, if it still is one. Looked up at each request, so that what ends it (somebody, the provider's
 * next revision, the tenant's end, the token's) ends it for the very next one.
 */
export async function findSession(tx: Tx, secretSha256: Uint8Array, now: Instant): Promise<LiveSession | undefined> {
  const row = await tx
    .selectFrom('admin_session as session')
    .leftJoin('sign_in as provider', 'provider.tenant_id', 'session.provider_tenant_id')
    .leftJoin('tenant', 'tenant.tenant_id', 'session.provider_tenant_id')
    .selectAll('session')
    .select(['provider.revision', 'provider.ended_at as provider_ended_at', 'tenant.ended_at as tenant_ended_at'])
    .where('secret_sha256', '=', Buffer.from(secretSha256))
    .executeTakeFirst()
  if (row === undefined || row.ended_at !== null || row.ends_at.getTime() <= now) return undefined
  if (row.used_at.getTime() + idleSeconds * 1000 <= now) return undefined
  const actor = row.token_id === null ? actorOf(row) : (await findLiveToken(tx, row.token_id, now))?.actor
  if (actor === undefined) return undefined
  if (row.used_at.getTime() + noteEverySeconds * 1000 <= now)
    await tx
      .updateTable('admin_session')
      .set({ used_at: new Date(now) })
      .where('secret_sha256', '=', row.secret_sha256)
      .execute()
  return {
    sessionId: row.session_id,
    actor,
    providerOf: row.provider_tenant_id ?? undefined,
    endsAt: instantOf(row.ends_at),
  }
}

/** Undefined when what vouched for the person does so no longer. */
function actorOf(row: {
  tenant_id: string
  name: string
  shown_as: string
  roles: readonly string[]
  provider_revision: number | null
  revision: number | null
  provider_ended_at: Date | null
  tenant_ended_at: Date | null
}): Actor | undefined {
  const isVouchedFor =
    row.revision === row.provider_revision && row.provider_ended_at === null && row.tenant_ended_at === null
  if (!isVouchedFor) return undefined
  return {
    kind: 'person',
    name: row.name,
    shownAs: row.shown_as,
    roles: row.roles.map((role) => Role.parse(role)),
    tenantId: row.tenant_id === houseId ? undefined : row.tenant_id,
  }
}

/** Which sessions; what is left out does not matter. A transaction of a tenant sees that tenant's only. */
export interface WhichSessions {
  readonly sessionId?: string | undefined
  /** The name of an audit entry. */
  readonly person?: string | undefined
  /** Undefined: whosever; `owner`: those of the owner's own people. */
  readonly of?: { readonly tenant: string } | 'owner' | undefined
}

/** Those that are neither ended nor over, the latest first. */
export async function listSessions(tx: Tx, which: WhichSessions, now: Instant): Promise<readonly SessionSummary[]> {
  const rows = await live(tx, which, now).orderBy('session.began_at', 'desc').limit(sessionsMax).execute()
  return rows.map((row) => ({
    sessionId: row.session_id,
    kind: row.token_id === null ? ('person' as const) : ('token' as const),
    name: row.name,
    shownAs: row.shown_as,
    roles: row.roles.map((role) => Role.parse(role)),
    tenant: row.tenant ?? undefined,
    beganAt: instantOf(row.began_at),
    usedAt: instantOf(row.used_at),
    endsAt: instantOf(row.ends_at),
  }))
}

const live = (tx: Tx, { sessionId, person, of }: WhichSessions, now: Instant) =>
  tx
    .selectFrom('admin_session as session')
    .leftJoin('tenant', 'tenant.tenant_id', 'session.tenant_id')
    .selectAll('session')
    .select('tenant.tenant')
    .where('session.ended_at', 'is', null)
    .where('session.ends_at', '>', new Date(now))
    .where('session.used_at', '>', new Date(now - idleSeconds * 1000))
    .$if(sessionId !== undefined, (query) => query.where('session.session_id', '=', sessionId ?? ''))
    .$if(person !== undefined, (query) => query.where('session.name', '=', person ?? ''))
    .$if(of === 'owner', (query) => query.where('session.tenant_id', '=', houseId))
    .$if(typeof of === 'object', (query) => query.where('tenant.tenant', '=', typeof of === 'object' ? of.tenant : ''))

/** Ends them all; whoever shows one is a stranger from then on. @returns how many there were. */
export async function endSessions(
  tx: Tx,
  which: WhichSessions,
  by: { readonly actor: Actor; readonly reason: string; readonly now: Instant },
): Promise<number> {
  const { actor, reason, now } = by
  let count = 0
  for (;;) {
    const found = await live(tx, which, now).limit(sessionsMax).execute()
    if (found.length === 0) return count
    await tx
      .updateTable('admin_session')
      .set({ ended_at: new Date(now), ended_by: actor.name, ended_reason: reason })
      .where(
        'session_id',
        'in',
        found.map(({ session_id }) => session_id),
      )
      .execute()
    await appendAuditEntries(
      tx,
      found.map(({ session_id, tenant_id, name }) => ({
        tenantId: tenant_id === houseId ? undefined : tenant_id,
        at: now,
        action: 'session.end',
        agent: agentOf(actor),
        entity: { type: 'session', id: session_id },
        outcome: 'done' as const,
        reason,
        facts: { name },
      })),
    )
    count += found.length
  }
}

/** Who began and ended them stands in the audit log. */
export async function pruneSessions(tx: Tx): Promise<void> {
  await sql`delete from admin_session where ends_at < now() - make_interval(days => ${keepDays})`.execute(tx)
}
