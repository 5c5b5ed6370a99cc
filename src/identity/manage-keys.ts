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
import { agentOf, type Actor } from './actor.ts'
import { mintApiKey, type ApiKey } from './api-key.ts'
import { secretHmac } from './authenticate.ts'
import { isScope, type Scope } from './scope.ts'
import { findApplication, findKeyRow, insertKey, markKeyRevoked, type KeyRefusal } from './store.ts'

export const keyDaysDefault = 90
export const keyDaysMax = 400

export interface KeyMaking {
  readonly hmac: Hmac
  readonly pepper: { readonly version: number; readonly secret: Uint8Array }
  /** Fresh random bytes. */
  randomBytes(length: number): Uint8Array
}

export interface CreatedKey {
  /** Shown once; nobody can read it again. */
  readonly key: ApiKey
  readonly expiresAt: Instant
  readonly scopes: readonly Scope[]
}

/** Creates a key of an application. Scopes are a subset of the application's; none given means all of them. */
export async function createKey(
  tx: Tx,
  making: KeyMaking,
  wish: {
    tenant: string
    application: string
    scopes: readonly string[] | undefined
    days: number
    actor: Actor
    now: Instant
  },
): Promise<Result<CreatedKey, KeyRefusal>> {
  if (!Number.isInteger(wish.days) || wish.days < 1 || wish.days > keyDaysMax)
    return err({ reason: 'expiry_out_of_range', daysMax: keyDaysMax })
  const application = await findApplication(tx, wish)
  if (!application.ok) return application
  const granted = application.value.scopes.filter(isScope)
  const scopes: Scope[] = []
  for (const scope of wish.scopes ?? granted) {
    if (!isScope(scope) || !granted.includes(scope)) return err({ reason: 'scope_not_granted', scope, granted })
    scopes.push(scope)
  }
  const key = mintApiKey(making.randomBytes(42))
  const expiresAt = plusDays(wish.now, wish.days)
  await insertKey(tx, {
    tenantId: application.value.tenantId,
    keyId: key.keyId,
    application: wish.application,
    secretHmac: secretHmac(making.hmac, making.pepper.secret, key.text.reveal()),
    pepperVersion: making.pepper.version,
    scopes,
    createdAt: wish.now,
    expiresAt,
  })
  await appendAuditEntry(tx, {
    ...entryOf(wish, { tenantId: application.value.tenantId, keyId: key.keyId }),
    action: 'key.create',
    reason: undefined,
    facts: { application: wish.application, scopes, expiresAt: isoOf(expiresAt) },
  })
  return ok({ key, expiresAt, scopes })
}

const entryOf = (
  { actor, now }: { actor: Actor; now: Instant },
  { tenantId, keyId }: { tenantId: Uuid; keyId: string },
) => ({
  tenantId,
  at: now,
  agent: agentOf(actor),
  entity: { type: 'key', id: keyId },
  outcome: 'done' as const,
})

/** From this instant on, on every process within a second, the key is refused. Doing it twice changes nothing. */
export async function revokeKey(
  tx: Tx,
  wish: { keyId: string; reason: string; actor: Actor; now: Instant },
): Promise<Result<{ revokedAt: Instant }, KeyRefusal>> {
  const revoked = await markKeyRevoked(tx, { keyId: wish.keyId, reason: wish.reason, at: wish.now })
  if (revoked === undefined) return err({ reason: 'key_not_found', keyId: wish.keyId })
  const { tenantId, application, revokedAt } = revoked
  await appendAuditEntry(tx, {
    ...entryOf(wish, { tenantId, keyId: wish.keyId }),
    action: 'key.revoke',
    reason: wish.reason,
    facts: { application, revokedAt: isoOf(revokedAt) },
  })
  return ok({ revokedAt })
}

/**
 * A new key for the same application, while the old one works on for `overlapHours` and is then refused. Quota hangs on
 * the license, so that an overlap doubles nothing.
 */
export async function rotateKey(
  tx: Tx,
  making: KeyMaking,
  wish: { keyId: string; overlapHours: number; days: number; actor: Actor; now: Instant },
): Promise<Result<CreatedKey & { oldEndsAt: Instant }, KeyRefusal>> {
  const old = await findKeyRow(tx, wish.keyId)
  if (old === undefined || (old.revoked_at !== null && instantOf(old.revoked_at) <= wish.now))
    return err({ reason: 'key_not_found', keyId: wish.keyId })
  const owner = await tx
    .selectFrom('tenant')
    .select('tenant')
    .where('tenant_id', '=', old.tenant_id)
    .executeTakeFirstOrThrow()
  const created = await createKey(tx, making, {
    tenant: owner.tenant,
    application: old.application,
    scopes: old.scopes,
    days: wish.days,
    actor: wish.actor,
    now: wish.now,
  })
  if (!created.ok) return created
  const oldEndsAt = plusDays(wish.now, wish.overlapHours / 24)
  await markKeyRevoked(tx, { keyId: wish.keyId, reason: 'rotated', at: oldEndsAt })
  await appendAuditEntry(tx, {
    ...entryOf(wish, { tenantId: old.tenant_id, keyId: wish.keyId }),
    action: 'key.rotate',
    reason: undefined,
    facts: { application: old.application, oldEndsAt: isoOf(oldEndsAt), newKey: created.value.key.keyId },
  })
  return ok({ ...created.value, oldEndsAt })
}
