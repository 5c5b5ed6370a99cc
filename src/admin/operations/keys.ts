import { z } from '@hono/zod-openapi'
import { err, isoOf, ok } from '../../kernel/index.ts'
import {
  createKey,
  keyDaysDefault,
  keyDaysMax,
  listKeys,
  revokeKey,
  rotateKey,
  type CreatedKey,
} from '../../identity/index.ts'
import { defineOperation } from '../operation.ts'
import { keyKeepers, Name, Reason, readers } from '../parts.ts'
import { notFound, refusedKey } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'
import { findTenant } from './tenants.ts'

const Key = z
  .object({
    key_id: z.string(),
    tenant: z.string(),
    application: z.string(),
    scopes: z.array(z.string()),
    created_at: z.string(),
    expires_at: z.string(),
    revoked_at: z.string().nullable(),
  })
  .openapi('Key')
const MadeKey = z
  .object({
    key_id: z.string(),
    key: z
      .string()
      .nullable()
      .openapi({ description: 'The whole key. Shown once; null when the request is sent again.' }),
    scopes: z.array(z.string()),
    expires_at: z.string(),
  })
  .openapi('MadeKey')

const Days = z.number().int().min(1).max(keyDaysMax).default(keyDaysDefault)
const ofKey = z.object({ key_id: Name })
const overlapHoursMax = 24 * 30

const made = ({ key, scopes, expiresAt }: CreatedKey) => ({
  key_id: key.keyId,
  key: key.text.reveal(),
  scopes,
  expires_at: isoOf(expiresAt),
})

export const listTenantKeys = defineOperation({
  id: 'listKeys',
  method: 'get',
  path: '/tenants/{tenant}/keys',
  tag: 'keys',
  summary: 'The keys of a tenant, without their secrets',
  roles: readers,
  params: z.object({ tenant: Name }),
  answer: z.object({ data: z.array(Key) }),
  async run({ tx }, { params }) {
    if ((await findTenant(tx, params.tenant)) === undefined) return err([notFound('tenant', params.tenant)])
    const keys = await listKeys(tx, params.tenant)
    return ok({
      body: {
        data: keys.map((key) => ({
          key_id: key.keyId,
          tenant: key.tenant,
          application: key.application,
          scopes: key.scopes,
          created_at: isoOf(key.createdAt),
          expires_at: isoOf(key.expiresAt),
          revoked_at: isoOrNull(key.revokedAt),
        })),
      },
    })
  },
})

export const makeKey = defineOperation({
  id: 'createKey',
  method: 'post',
  path: '/tenants/{tenant}/applications/{application}/keys',
  tag: 'keys',
  summary: 'Makes a key of an application. It is shown once',
  roles: keyKeepers,
  params: z.object({ tenant: Name, application: Name }),
  body: z.strictObject({ scopes: z.array(Name).max(20).optional(), days: Days }),
  answer: MadeKey,
  creates: true,
  async run({ tx, needs, by }, { params, body }) {
    const { actor, now } = by
    const created = await createKey(tx, needs.making, { ...params, scopes: body.scopes, days: body.days, actor, now })
    return created.ok
      ? ok({ status: 201, body: made(created.value), secrets: ['key'] })
      : err([refusedKey(created.error)])
  },
})

export const rotateOneKey = defineOperation({
  id: 'rotateKey',
  method: 'post',
  path: '/keys/{key_id}/rotate',
  tag: 'keys',
  summary: 'Makes a key in the place of another, which works on for some hours',
  roles: keyKeepers,
  params: ofKey,
  body: z.strictObject({ days: Days, overlap_hours: z.number().min(0).max(overlapHoursMax).default(24) }),
  answer: MadeKey.extend({ old_key_ends_at: z.string() }),
  creates: true,
  async run({ tx, needs, by }, { params, body }) {
    const wish = {
      keyId: params.key_id,
      overlapHours: body.overlap_hours,
      days: body.days,
      actor: by.actor,
      now: by.now,
    }
    const rotated = await rotateKey(tx, needs.making, wish)
    if (!rotated.ok) return err([refusedKey(rotated.error)])
    const old = { old_key_ends_at: isoOf(rotated.value.oldEndsAt) }
    return ok({ status: 201, body: { ...made(rotated.value), ...old }, secrets: ['key'] })
  },
})

export const revokeOneKey = defineOperation({
  id: 'revokeKey',
  method: 'post',
  path: '/keys/{key_id}/revoke',
  tag: 'keys',
  summary: 'Ends a key. It is refused everywhere within a second',
  roles: keyKeepers,
  params: ofKey,
  body: z.strictObject({ reason: Reason }),
  answer: z.object({ key_id: z.string(), revoked_at: z.string() }),
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const revoked = await revokeKey(tx, { keyId: params.key_id, reason: body.reason, actor, now })
    return revoked.ok
      ? ok({ body: { key_id: params.key_id, revoked_at: isoOf(revoked.value.revokedAt) } })
      : err([refusedKey(revoked.error)])
  },
})
