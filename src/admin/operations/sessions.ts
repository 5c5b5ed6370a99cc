import { z } from '@hono/zod-openapi'
import { err, isoOf, ok } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { endSessions, listSessions, Role, type SessionSummary, type WhichSessions } from '../../identity/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, Reason, readers } from '../parts.ts'
import { notFound } from '../refusal.ts'
import { findTenant } from './tenants.ts'

const Session = z
  .object({
    session_id: z.string(),
    kind: z.enum(['person', 'token']),
    name: z
      .string()
      .openapi({ description: 'As audit entries name them: `<subject> at <issuer>`, or a token’s name.' }),
    shown_as: z.string(),
    roles: z.array(Role),
    tenant: z.string().nullable().openapi({ description: 'Null: one of the owner’s own people.' }),
    began_at: z.string(),
    used_at: z.string().openapi({ description: 'To the minute.' }),
    ends_at: z.string(),
  })
  .openapi('Session')

const PersonName = z.string().min(1).max(2_300)

const shown = (session: SessionSummary) => ({
  session_id: session.sessionId,
  kind: session.kind,
  name: session.name,
  shown_as: session.shownAs,
  roles: session.roles,
  tenant: session.tenant ?? null,
  began_at: isoOf(session.beganAt),
  used_at: isoOf(session.usedAt),
  ends_at: isoOf(session.endsAt),
})

/** Undefined: there is no such tenant for whoever asks. The owner's own people are of no tenant. */
async function whose(tx: Tx, tenant: string | undefined): Promise<Pick<WhichSessions, 'of'> | undefined> {
  if (tenant === undefined) return {}
  const found = await findTenant(tx, tenant)
  if (found === undefined) return undefined
  return { of: found.kind === 'owner' ? 'owner' : { tenant } }
}

export const showOwnSession = defineOperation({
  id: 'getSession',
  method: 'get',
  path: '/session',
  tag: 'sessions',
  summary: 'Who asks, and the token that a session sends with whatever it changes',
  roles: readers,
  answer: z.object({
    kind: z.string(),
    name: z.string(),
    shown_as: z.string(),
    roles: z.array(Role),
    tenant: z.string().nullable(),
    scopes: z.array(z.string()).nullable().openapi({ description: 'Of a token that is narrower than its roles.' }),
    session_id: z.string().nullable().openapi({ description: 'Null for whoever shows a token with each request.' }),
    ends_at: z.string().nullable(),
    csrf_token: z.string().nullable().openapi({ description: 'To be sent as x-csrf-token.' }),
  }),
  async run({ tx, by: { actor }, session }) {
    const tenant =
      actor.tenantId === undefined
        ? undefined
        : await tx.selectFrom('tenant').select('tenant').where('tenant_id', '=', actor.tenantId).executeTakeFirst()
    return ok({
      body: {
        kind: actor.kind,
        name: actor.name,
        shown_as: actor.shownAs ?? actor.name,
        roles: actor.roles,
        tenant: tenant?.tenant ?? null,
        scopes: actor.scopes ?? null,
        session_id: session?.sessionId ?? null,
        ends_at: session === undefined ? null : isoOf(session.endsAt),
        csrf_token: session?.csrfToken ?? null,
      },
    })
  },
})

export const listLiveSessions = defineOperation({
  id: 'listSessions',
  method: 'get',
  path: '/sessions',
  tag: 'sessions',
  summary: 'Who is signed in, the latest first',
  roles: ['owner-admin', 'auditor', 'tenant-admin'],
  query: z.strictObject({ tenant: Name.optional(), person: PersonName.optional() }),
  answer: z.object({ data: z.array(Session) }),
  async run({ tx, by }, { query }) {
    const of = await whose(tx, query.tenant)
    if (of === undefined) return err([notFound('tenant', query.tenant ?? '')])
    const sessions = await listSessions(tx, { ...of, person: query.person }, by.now)
    return ok({ body: { data: sessions.map(shown) } })
  },
})

export const endOneSession = defineOperation({
  id: 'endSession',
  method: 'post',
  path: '/sessions/{session_id}/end',
  tag: 'sessions',
  summary: 'Signs somebody out; the next request of that session is a stranger’s',
  roles: ['owner-admin', 'tenant-admin'],
  params: z.object({ session_id: Name }),
  body: z.strictObject({ reason: Reason }),
  answer: z.object({ ended: z.int() }),
  async run({ tx, by: { actor, now } }, { params, body }) {
    const sessionId = z.uuid().safeParse(params.session_id).data
    const ended =
      sessionId === undefined ? 0 : await endSessions(tx, { sessionId }, { actor, reason: body.reason, now })
    return ended === 0 ? err([notFound('live session', params.session_id)]) : ok({ body: { ended } })
  },
})

export const endManySessions = defineOperation({
  id: 'endSessions',
  method: 'post',
  path: '/sessions/end',
  tag: 'sessions',
  summary: 'Signs out a person, everybody of a tenant, or a person at a tenant',
  roles: ['owner-admin', 'tenant-admin'],
  body: z
    .strictObject({
      tenant: Name.optional(),
      person: PersonName.optional().openapi({ description: 'The name of listSessions.' }),
      reason: Reason,
    })
    .refine(({ tenant, person }) => tenant !== undefined || person !== undefined, 'name a tenant, a person, or both'),
  answer: z.object({ ended: z.int() }),
  async run({ tx, by: { actor, now } }, { body }) {
    const { tenant, person, reason } = body
    const of = await whose(tx, tenant)
    if (of === undefined) return err([notFound('tenant', tenant ?? '')])
    return ok({ body: { ended: await endSessions(tx, { ...of, person }, { actor, reason, now }) } })
  },
})
