import { z } from '@hono/zod-openapi'
import { err, isoOf, isUuid, ok } from '../../kernel/index.ts'
import { Stage } from '../../policy/index.ts'
import { acknowledgeNotice, issueNotice, listNotices, type NoticeRecord } from '../../release/index.ts'
import { defineOperation } from '../operation.ts'
import { licensingOffice, Name, readers, Reason } from '../parts.ts'
import { notFound, refusedNotice } from '../refusal.ts'

const Notice = z
  .object({
    notice: z.string(),
    tenant: z.string(),
    model: z.string(),
    version: z.string(),
    summary: z.string(),
    issued_at: z.string(),
    effective_at: z.string(),
    acknowledged: z.object({ by: z.string(), at: z.string() }).nullable(),
  })
  .openapi('ChangeNotice')

const shown = (notice: NoticeRecord) => ({
  notice: notice.noticeId,
  tenant: notice.tenant,
  model: notice.model,
  version: notice.version,
  summary: notice.summary,
  issued_at: isoOf(notice.issuedAt),
  effective_at: isoOf(notice.effectiveAt),
  acknowledged:
    notice.acknowledged === undefined ? null : { by: notice.acknowledged.by, at: isoOf(notice.acknowledged.at) },
})

export const listChangeNotices = defineOperation({
  id: 'listNotices',
  method: 'get',
  path: '/notices',
  tag: 'notices',
  summary: 'What tenants were told of versions to come',
  roles: readers,
  query: z.strictObject({ which: z.enum(['open', 'all']).default('open') }),
  answer: z.object({ data: z.array(Notice) }),
  run: async ({ tx }, { query }) => ok({ body: { data: (await listNotices(tx, query.which)).map(shown) } }),
})

export const issueChangeNotice = defineOperation({
  id: 'issueNotice',
  method: 'post',
  path: '/models/{model}/versions/{version}/notices',
  tag: 'notices',
  summary: 'Tells every tenant that pins an older version',
  roles: licensingOffice,
  params: z.object({ model: Name, version: Name }),
  body: z.strictObject({ to: Stage, days: z.number().int().min(0).max(3650).optional(), summary: Reason }),
  answer: z.object({ data: z.array(z.object({ notice: z.string(), tenant: z.string(), effective_at: z.string() })) }),
  creates: true,
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const issued = await issueNotice(tx, { ...params, to: body.to, days: body.days, summary: body.summary, actor, now })
    if (!issued.ok) return err([refusedNotice(issued.error)])
    return ok({
      status: 201,
      body: {
        data: issued.value.map(({ tenant, noticeId, effectiveAt }) => ({
          notice: noticeId,
          tenant,
          effective_at: isoOf(effectiveAt),
        })),
      },
    })
  },
})

export const acknowledgeChangeNotice = defineOperation({
  id: 'acknowledgeNotice',
  method: 'post',
  path: '/notices/{notice}/acknowledge',
  tag: 'notices',
  summary: 'A tenant says that it has read a notice; the licensing office may say it for one that has written',
  roles: ['owner-admin', 'licensing', 'tenant-admin'],
  params: z.object({ notice: Name }),
  body: z.strictObject({}),
  answer: z.object({ notice: z.string() }),
  async run({ tx, by }, { params }) {
    const { notice } = params
    if (!isUuid(notice)) return err([notFound('notice', notice)])
    const { actor, now } = by
    const done = await acknowledgeNotice(tx, { noticeId: notice, actor, now })
    return done.ok ? ok({ body: { notice } }) : err([refusedNotice(done.error)])
  },
})
