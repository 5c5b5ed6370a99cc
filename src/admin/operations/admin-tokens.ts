import { z } from '@hono/zod-openapi'
import { err, isoOf, ok } from '../../kernel/index.ts'
import {
  adminTokenDaysMax,
  createAdminToken,
  keyDaysDefault,
  listAdminTokens,
  readScope,
  revokeAdminToken,
  Role,
} from '../../identity/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, Reason } from '../parts.ts'
import { refusedToken } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'

const Token = z
  .object({
    token_id: z.string(),
    name: z.string(),
    roles: z.array(Role),
    tenant: z.string().nullable(),
    scopes: z.array(z.string()).nullable().openapi({ description: 'Null: all that its roles may.' }),
    created_at: z.string(),
    created_by: z.string(),
    expires_at: z.string(),
    revoked_at: z.string().nullable(),
    used_at: z.string().nullable().openapi({ description: 'To the minute; null: never.' }),
  })
  .openapi('AdminToken')

export const listTokens = defineOperation({
  id: 'listAdminTokens',
  method: 'get',
  path: '/admin-tokens',
  tag: 'admin tokens',
  summary: 'Every admin token, the newest first, without its secret',
  roles: ['owner-admin', 'auditor'],
  answer: z.object({ data: z.array(Token) }),
  async run({ tx }) {
    const tokens = await listAdminTokens(tx)
    return ok({
      body: {
        data: tokens.map((token) => ({
          token_id: token.tokenId,
          name: token.name,
          roles: token.roles,
          tenant: token.tenant ?? null,
          scopes: token.scopes ?? null,
          created_at: isoOf(token.createdAt),
          created_by: token.createdBy,
          expires_at: isoOf(token.expiresAt),
          revoked_at: isoOrNull(token.revokedAt),
          used_at: isoOrNull(token.usedAt),
        })),
      },
    })
  },
})

export const makeToken = defineOperation({
  id: 'createAdminToken',
  method: 'post',
  path: '/admin-tokens',
  tag: 'admin tokens',
  summary: 'Makes a token for one person or machine. It is shown once',
  roles: ['owner-admin'],
  body: z.strictObject({
    name: z.string().trim().min(1).max(100).openapi({ description: 'Who acts with it: two people are two names.' }),
    roles: z.array(Role).min(1).max(6),
    tenant: Name.optional().openapi({ description: 'With the roles of a tenant: whose administrator it is.' }),
    scopes: z
      .array(Name)
      .min(1)
      .max(100)
      .optional()
      .openapi({ description: `Narrower than the roles: ids of operations, or ${readScope} for all that only look.` }),
    days: z.number().int().min(1).max(adminTokenDaysMax).default(keyDaysDefault),
  }),
  answer: z.object({
    token_id: z.string(),
    token: z.string().nullable().openapi({ description: 'Shown once; null when the request is sent again.' }),
    expires_at: z.string(),
  }),
  creates: true,
  async run(doing, { body }) {
    const { tx, needs, by } = doing
    const { actor, now } = by
    const unknown = (body.scopes ?? []).filter((one) => one !== readScope && doing.findOperation(one) === undefined)
    if (unknown.length > 0)
      return err([
        {
          status: 422,
          reason: 'scope_unknown',
          message: `There is no operation ${unknown.join(', ')}.`,
          advice: `Name operationIds of /admin/openapi.json, or ${readScope}.`,
          pointer: '/scopes',
        },
      ])
    const made = await createAdminToken(tx, needs.making, {
      name: body.name,
      roles: body.roles,
      tenant: body.tenant,
      scopes: body.scopes,
      days: body.days,
      actor,
      now,
    })
    if (!made.ok) return err([refusedToken(made.error)])
    const { tokenId, text, expiresAt } = made.value
    return ok({
      status: 201,
      body: { token_id: tokenId, token: text.reveal(), expires_at: isoOf(expiresAt) },
      secrets: ['token'],
    })
  },
})

export const revokeToken = defineOperation({
  id: 'revokeAdminToken',
  method: 'post',
  path: '/admin-tokens/{token_id}/revoke',
  tag: 'admin tokens',
  summary: 'Ends an admin token at once',
  roles: ['owner-admin'],
  params: z.object({ token_id: Name }),
  body: z.strictObject({ reason: Reason }),
  answer: z.object({ token_id: z.string(), revoked_at: z.string() }),
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const revoked = await revokeAdminToken(tx, { tokenId: params.token_id, reason: body.reason, actor, now })
    return revoked.ok
      ? ok({ body: { token_id: params.token_id, revoked_at: isoOf(revoked.value.revokedAt) } })
      : err([refusedToken(revoked.error)])
  },
})
