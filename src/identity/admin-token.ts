import {
  err,
  instantOf,
  isoOf,
  ok,
  plusDays,
  type Hmac,
  type Instant,
  type Result,
  type Uuid,
} from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import type { Sensitive } from '../privacy/index.ts'
import { agentOf, handsOf, ownerRoles, Role, type Actor } from './actor.ts'
import { secretHmac } from './authenticate.ts'
import { keyDaysMax, type KeyMaking } from './manage-keys.ts'
import { mintSecret, parseSecret } from './minted-secret.ts'

const prefix = 'fma_live_'
/** Nobody needs more, and a list is one page. */
export const adminTokensMax = 1_000

export type AdminTokenRefusal =
  | { reason: 'tenant_not_found'; tenant: string }
  | { reason: 'roles_do_not_fit'; roles: readonly Role[]; tenant: string | undefined }
  | { reason: 'expiry_out_of_range'; daysMax: number }
  | { reason: 'too_many_tokens'; tokensMax: number }
  | { reason: 'token_not_found'; tokenId: string }

/** A token without its secret. */
export interface AdminTokenSummary {
  readonly tokenId: string
  readonly name: string
  readonly roles: readonly Role[]
  /** The tenant whose own administrator it is; undefined: the owner's. */
  readonly tenant: string | undefined
  readonly createdAt: Instant
  readonly createdBy: string
  readonly expiresAt: Instant
  readonly revokedAt: Instant | undefined
}

/** Makes a token for somebody, or for their machine. Its text is shown once. */
export async function createAdminToken(
  tx: Tx,
  making: KeyMaking,
  wish: {
    name: string
    roles: readonly Role[]
    tenant: string | undefined
    days: number
    actor: Actor
    now: Instant
  },
): Promise<Result<{ tokenId: string; text: Sensitive<string>; expiresAt: Instant }, AdminTokenRefusal>> {
  const { name, roles, tenant, days, actor, now } = wish
  if (!Number.isInteger(days) || days < 1 || days > keyDaysMax)
    return err({ reason: 'expiry_out_of_range', daysMax: keyDaysMax })
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
    facts: { name, roles, expiresAt: isoOf(expiresAt) },
  })
  return ok({ tokenId: token.id, text: token.text, expiresAt })
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
    createdAt: instantOf(row.created_at),
    createdBy: row.created_by,
    expiresAt: instantOf(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : instantOf(row.revoked_at),
  }))
}

/**
 * Reads `Authorization: Bearer` of the control plane. Whatever is wrong with a token, the answer is the same and takes the
 * same time: undefined. One that was mistyped is refused without a look-up.
 */
export async function authenticateAdmin(
  tx: Tx,
  needs: { readonly hmac: Hmac; pepper(version: number): Uint8Array | undefined },
  shown: string,
  now: Instant,
): Promise<Actor | undefined> {
  const token = parseSecret(prefix, shown)
  if (token === undefined) return undefined
  const row = await tx
    .selectFrom('admin_token')
    .leftJoin('tenant', 'tenant.tenant_id', 'admin_token.of_tenant_id')
    .selectAll('admin_token')
    .select('tenant.ended_at')
    .where('token_id', '=', token.id)
    .executeTakeFirst()
  const pepper = needs.pepper(row?.pepper_version ?? 1) ?? nothing
  const isRight = needs.hmac.equal(
    secretHmac(needs.hmac, pepper, token.text.reveal()),
    new Uint8Array(row?.secret_hmac ?? nothing),
  )
  if (!isRight || row === undefined || pepper === nothing) return undefined
  const isOver =
    row.expires_at.getTime() <= now ||
    (row.revoked_at !== null && row.revoked_at.getTime() <= now) ||
    (row.ended_at !== null && row.ended_at.getTime() <= now)
  if (isOver) return undefined
  return {
    kind: 'token',
    name: row.name,
    roles: row.roles.map((role) => Role.parse(role)),
    tenantId: row.of_tenant_id ?? undefined,
    makers: row.makers,
  }
}

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

async function findTenantId(tx: Tx, tenant: string): Promise<Uuid | undefined> {
  const row = await tx
    .selectFrom('tenant')
    .select('tenant_id')
    .where('tenant', '=', tenant)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  return row?.tenant_id
}
