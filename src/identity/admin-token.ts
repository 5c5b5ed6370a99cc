import { err, instantOf, isoOf, ok, plusDays, type Hmac, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import type { Sensitive } from '../privacy/index.ts'
import { agentOf, handsOf, ownerRoles, Role, type Actor } from './actor.ts'
import { secretHmac } from './authenticate.ts'
import type { KeyMaking } from './manage-keys.ts'
import { mintSecret, parseSecret } from './minted-secret.ts'
import { findTenantId } from './store.ts'

const prefix = 'fma_live_'
/** Nobody needs more, and a list is one page. */
export const adminTokensMax = 1_000
export const adminTokenDaysMax = 365
/** Each request would be a write otherwise. */
const noteEverySeconds = 60
/** The scope of whoever only looks. */
export const readScope = 'read'

export type AdminTokenRefusal =
  | { reason: 'tenant_not_found'; tenant: string }
  | { reason: 'roles_do_not_fit'; roles: readonly Role[]; tenant: string | undefined }
  | { reason: 'expiry_out_of_range'; daysMax: number }
  | { reason: 'too_many_tokens'; tokensMax: number }
  | { reason: 'token_not_found'; tokenId: string }
  | { reason: 'scopes_exceed_makers'; scopes: readonly string[] }

/** A token without its secret. */
export interface AdminTokenSummary {
  readonly tokenId: string
  readonly name: string
  readonly roles: readonly Role[]
  /** The tenant whose own administrator it is; undefined: the owner's. */
  readonly tenant: string | undefined
  /** Undefined: all that its roles may. */
  readonly scopes: readonly string[] | undefined
  readonly createdAt: Instant
  readonly createdBy: string
  readonly expiresAt: Instant
  readonly revokedAt: Instant | undefined
  /** To the minute; undefined: never. */
  readonly usedAt: Instant | undefined
}

/** Makes a token for somebody, or for their machine. Its text is shown once. */
export async function createAdminToken(
  tx: Tx,
  making: KeyMaking,
  wish: {
    name: string
    roles: readonly Role[]
    tenant: string | undefined
    /** Known ids of operations, or `read`. */
    scopes?: readonly string[] | undefined
    days: number
    actor: Actor
    now: Instant
  },
): Promise<Result<{ tokenId: string; text: Sensitive<string>; expiresAt: Instant }, AdminTokenRefusal>> {
  const { name, roles, tenant, scopes, days, actor, now } = wish
  if (!Number.isInteger(days) || days < 1 || days > adminTokenDaysMax)
    return err({ reason: 'expiry_out_of_range', daysMax: adminTokenDaysMax })
  const exceeding = scopesBeyond(actor, scopes)
  if (exceeding.length > 0) return err({ reason: 'scopes_exceed_makers', scopes: exceeding })
  const owners = roles.every((role) => ownerRoles.some((one) => one === role))
  const tenants = roles.every((role) => !ownerRoles.some((one) => one === role))
  if (roles.length === 0 || !(tenant === undefined ? owners : tenants))
    return err({ reason: 'roles_do_not_fit', roles, tenant })
  const tenantId = tenant === undefined ? undefined : await findTenantId(tx, tenant)
  if (tenant !== undefined && tenantId === undefined) return err({ reason: 'tenant_not_found', tenant })
  const { count } = await tx
    .selectFrom('admin_token')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('expires_at', '>', new Date(now))
    .executeTakeFirstOrThrow()
  if (Number(count) >= adminTokensMax) return err({ reason: 'too_many_tokens', tokensMax: adminTokensMax })
  const token = mintSecret(prefix, making.randomBytes(42))
  const expiresAt = plusDays(now, days)
  await tx
    .insertInto('admin_token')
    .values({
      token_id: token.id,
      name,
      roles: [...new Set(roles)],
      of_tenant_id: tenantId ?? null,
      scopes: scopes === undefined ? null : [...new Set(scopes)],
      secret_hmac: Buffer.from(secretHmac(making.hmac, making.pepper.secret, token.text.reveal())),
      pepper_version: making.pepper.version,
      created_at: new Date(now),
      created_by: actor.name,
      makers: makersFrom(actor),
      expires_at: new Date(expiresAt),
    })
    .execute()
  await appendAuditEntry(tx, {
    tenantId,
    at: now,
    action: 'admin_token.create',
    agent: agentOf(actor),
    entity: { type: 'admin_token', id: token.id },
    outcome: 'done',
    facts: { name, roles, ...(scopes === undefined ? {} : { scopes }), expiresAt: isoOf(expiresAt) },
  })
  return ok({ tokenId: token.id, text: token.text, expiresAt })
}

/** What a narrow token would hand on without having it: a new one without scopes would have everything. */
function scopesBeyond(maker: Actor, scopes: readonly string[] | undefined): readonly string[] {
  const { scopes: has } = maker
  if (has === undefined) return []
  return (scopes ?? ['everything']).filter((scope) => !has.includes(scope))
}

/** A token made by hand at the machine is nobody's but its own. */
const makersFrom = (actor: Actor): string[] =>
  actor.kind === 'token' || actor.kind === 'person' ? [...handsOf(actor)] : []

/** From now on it opens nothing. Doing it twice changes nothing. */
export async function revokeAdminToken(
  tx: Tx,
  wish: { tokenId: string; reason: string; actor: Actor; now: Instant },
): Promise<Result<{ revokedAt: Instant }, AdminTokenRefusal>> {
  const { tokenId, reason, actor, now } = wish
  const found = await tx.selectFrom('admin_token').selectAll().where('token_id', '=', tokenId).executeTakeFirst()
  if (found === undefined) return err({ reason: 'token_not_found', tokenId })
  if (found.revoked_at !== null) return ok({ revokedAt: instantOf(found.revoked_at) })
  await tx
    .updateTable('admin_token')
    .set({ revoked_at: new Date(now), revoked_reason: reason })
    .where('token_id', '=', tokenId)
    .execute()
  await appendAuditEntry(tx, {
    tenantId: found.of_tenant_id ?? undefined,
    at: now,
    action: 'admin_token.revoke',
    agent: agentOf(actor),
    entity: { type: 'admin_token', id: tokenId },
    outcome: 'done',
    reason,
    facts: { name: found.name },
  })
  return ok({ revokedAt: now })
}

/** Newest first. */
export async function listAdminTokens(tx: Tx): Promise<readonly AdminTokenSummary[]> {
  const rows = await tx
    .selectFrom('admin_token')
    .leftJoin('tenant', 'tenant.tenant_id', 'admin_token.of_tenant_id')
    .selectAll('admin_token')
    .select('tenant.tenant')
    .orderBy('admin_token.created_at', 'desc')
    .limit(adminTokensMax)
    .execute()
  return rows.map((row) => ({
    tokenId: row.token_id,
    name: row.name,
    roles: row.roles.map((role) => Role.parse(role)),
    tenant: row.tenant ?? undefined,
    scopes: row.scopes ?? undefined,
    createdAt: instantOf(row.created_at),
    createdBy: row.created_by,
    expiresAt: instantOf(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : instantOf(row.revoked_at),
    usedAt: row.used_at === null ? undefined : instantOf(row.used_at),
  }))
}

/** A token that opens something, and who acts with it. */
export interface LiveToken {
  readonly tokenId: string
  readonly actor: Actor
}

/**
 * Reads `Authorization: Bearer` of the control plane. Whatever is wrong with a token, the answer is the same and takes the
 * same time: undefined. One that was mistyped is refused without a look-up, and only one that is right leaves a note.
 */
export async function authenticateAdmin(
  tx: Tx,
  needs: { readonly hmac: Hmac; pepper(version: number): Uint8Array | undefined },
  shown: string,
  now: Instant,
): Promise<LiveToken | undefined> {
  const token = parseSecret(prefix, shown)
  if (token === undefined) return undefined
  const row = await findTokenRow(tx, token.id)
  const pepper = needs.pepper(row?.pepper_version ?? 1) ?? nothing
  const isRight = needs.hmac.equal(
    secretHmac(needs.hmac, pepper, token.text.reveal()),
    new Uint8Array(row?.secret_hmac ?? nothing),
  )
  if (!isRight || row === undefined || pepper === nothing || isOver(row, now)) return undefined
  if (row.used_at === null || row.used_at.getTime() + noteEverySeconds * 1000 <= now)
    await tx
      .updateTable('admin_token')
      .set({ used_at: new Date(now) })
      .where('token_id', '=', row.token_id)
      .execute()
  return liveToken(row)
}

/** A token by its id, for whoever has shown it before. */
export async function findLiveToken(tx: Tx, tokenId: string, now: Instant): Promise<LiveToken | undefined> {
  const row = await findTokenRow(tx, tokenId)
  return row === undefined || isOver(row, now) ? undefined : liveToken(row)
}

type TokenRow = NonNullable<Awaited<ReturnType<typeof findTokenRow>>>

const findTokenRow = (tx: Tx, tokenId: string) =>
  tx
    .selectFrom('admin_token')
    .leftJoin('tenant', 'tenant.tenant_id', 'admin_token.of_tenant_id')
    .selectAll('admin_token')
    .select('tenant.ended_at')
    .where('token_id', '=', tokenId)
    .executeTakeFirst()

const isOver = (row: TokenRow, now: Instant): boolean =>
  [row.expires_at, row.revoked_at, row.ended_at].some((end) => end !== null && end.getTime() <= now)

const liveToken = (row: TokenRow): LiveToken => ({
  tokenId: row.token_id,
  actor: {
    kind: 'token',
    name: row.name,
    roles: row.roles.map((role) => Role.parse(role)),
    tenantId: row.of_tenant_id ?? undefined,
    makers: row.makers,
    scopes: row.scopes ?? undefined,
  },
})

/** Who can act under a name that stands in a record, by tokens that they made for it. */
export async function findMakers(tx: Tx, name: string): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('admin_token')
    .select('makers')
    .where(({ fn }) => fn('lower', ['name']), '=', name.toLowerCase())
    .limit(adminTokensMax)
    .execute()
  return [...new Set(rows.flatMap(({ makers }) => makers))]
}

const nothing = new Uint8Array(32)
