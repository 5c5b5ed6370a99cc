import { z } from '@hono/zod-openapi'
import { err, formatAmount, instant, isoOf, ok, plusMs, type Instant } from '../../kernel/index.ts'
import { reportUsage, untilUnfolded } from '../../metering/index.ts'
import { defineOperation } from '../operation.ts'
import { At, Name, readers } from '../parts.ts'
import { notFound } from '../refusal.ts'
import { findTenant } from './tenants.ts'

const daysMax = 400

export const reportTenantUsage = defineOperation({
  id: 'reportUsage',
  method: 'get',
  path: '/usage',
  tag: 'usage',
  summary: 'Sums of the ledger over [from, to), by tenant, application, model and version',
  roles: readers,
  query: z.strictObject({
    from: At.optional().openapi({ description: 'The beginning of this month (UTC), when it is left out.' }),
    to: At.optional().openapi({ description: 'Now, when it is left out. Not part of the report.' }),
    tenant: Name.optional(),
  }),
  answer: z.object({
    from: z.string(),
    to: z.string(),
    data: z.array(
      z.object({
        tenant: z.string(),
        application: z.string(),
        model: z.string(),
        version: z.string(),
        calls: z.string(),
        input_tokens: z.string(),
        output_tokens: z.string(),
        inferences: z.string(),
        charge: z.string(),
        currency: z.string(),
      }),
    ),
  }),
  async run({ tx, needs, by }, { query }) {
    const from = query.from ?? monthStart(by.now)
    const to = query.to ?? plusMs(by.now, 1)
    if (from >= to || to - from > daysMax * 86_400_000)
      return err([
        {
          status: 400,
          reason: 'invalid_request',
          message: `from has to come before to, and at most ${daysMax} days before it.`,
        },
      ])
    const own = by.actor.tenantId
    const named =
      own === undefined
        ? query.tenant
        : (await tx.selectFrom('tenant').select('tenant').where('tenant_id', '=', own).executeTakeFirst())?.tenant
    const tenant = query.tenant ?? named
    if (tenant !== undefined && (await findTenant(tx, tenant)) === undefined) return err([notFound('tenant', tenant)])
    await untilUnfolded(needs.database)
    const totals = await reportUsage(tx, { from: instant(from), to: instant(to), tenant })
    return ok({
      body: {
        from: isoOf(instant(from)),
        to: isoOf(instant(to)),
        data: totals.map((total) => ({
          tenant: total.tenant,
          application: total.application,
          model: total.model,
          version: total.version,
          calls: String(total.calls),
          input_tokens: String(total.inputTokens),
          output_tokens: String(total.outputTokens),
          inferences: String(total.inferences),
          charge: formatAmount(total.charge),
          currency: total.currency,
        })),
      },
    })
  },
})

const monthStart = (now: Instant): Instant => {
  const date = new Date(now)
  return instant(Date.UTC(date.getUTCFullYear(), date.getUTCMonth()))
}
