import { z } from '@hono/zod-openapi'
import { err, instantOf, isoOf, ok } from '../../kernel/index.ts'
import { loadOwnerPolicies } from '../../policy/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, ownersPeople, page, pageOf, Paging, partsOf, readers } from '../parts.ts'
import { notFound } from '../refusal.ts'

const Model = z
  .object({
    model: z.string(),
    title: z.string(),
    protocol: z.string(),
    notice_days: z.int(),
    withdrawn_at: z.string().nullable(),
  })
  .openapi('CatalogModel')
const Plan = z
  .object({
    plan: z.string(),
    revision: z.int(),
    currency: z.string(),
    prices: z.array(z.looseObject({ meter: z.string() })),
    effective_at: z.string(),
  })
  .openapi('PlanRevision')

export const listModels = defineOperation({
  id: 'listModels',
  method: 'get',
  path: '/models',
  tag: 'versions',
  summary: 'The owner’s models',
  roles: ownersPeople,
  query: z.strictObject(Paging),
  answer: page(Model),
  async run({ tx }, { query }) {
    const after = partsOf(query.after, 1)
    if (!after.ok) return after
    const rows = await tx
      .selectFrom('model')
      .selectAll()
      .where('model', '>', after.value?.[0] ?? '')
      .orderBy('model')
      .limit(query.limit + 1)
      .execute()
    const { rows: shown, next } = pageOf(rows, query.limit, ({ model }) => model)
    const data = shown.map(({ model, title, protocol, notice_days, withdrawn_at }) => ({
      model,
      title,
      protocol,
      notice_days,
      withdrawn_at: withdrawn_at === null ? null : isoOf(instantOf(withdrawn_at)),
    }))
    return ok({ body: { data, next } })
  },
})

interface PlanRow {
  readonly plan: string
  readonly revision: number
  readonly currency: string
  readonly prices: unknown
  readonly effective_at: Date
}

const shownPlan = ({ plan, revision, currency, prices, effective_at }: PlanRow) => ({
  plan,
  revision,
  currency,
  prices,
  effective_at: isoOf(instantOf(effective_at)),
})

export const listPlans = defineOperation({
  id: 'listPlans',
  method: 'get',
  path: '/plans',
  tag: 'plans',
  summary: 'The price books, each in its latest revision',
  roles: readers,
  query: z.strictObject(Paging),
  answer: page(Plan),
  async run({ tx }, { query }) {
    const after = partsOf(query.after, 1)
    if (!after.ok) return after
    const rows = await tx
      .selectFrom('plan_revision')
      .selectAll()
      .distinctOn('plan')
      .where('plan', '>', after.value?.[0] ?? '')
      .orderBy('plan')
      .orderBy('revision', 'desc')
      .limit(query.limit + 1)
      .execute()
    const { rows: shown, next } = pageOf(rows, query.limit, ({ plan }) => plan)
    return ok({ body: { data: shown.map(shownPlan), next } })
  },
})

export const getPlan = defineOperation({
  id: 'getPlan',
  method: 'get',
  path: '/plans/{plan}',
  tag: 'plans',
  summary: 'Every revision of a price book, the newest first',
  roles: readers,
  params: z.object({ plan: Name }),
  answer: z.object({ data: z.array(Plan) }),
  async run({ tx }, { params }) {
    const rows = await tx
      .selectFrom('plan_revision')
      .selectAll()
      .where('plan', '=', params.plan)
      .orderBy('revision', 'desc')
      .limit(1_000)
      .execute()
    return rows.length === 0 ? err([notFound('plan', params.plan)]) : ok({ body: { data: rows.map(shownPlan) } })
  },
})

export const listPolicies = defineOperation({
  id: 'listPolicies',
  method: 'get',
  path: '/policies',
  tag: 'policies',
  summary: 'The owner’s policies that are in force, in Cedar',
  roles: ownersPeople,
  answer: z.object({
    revision: z.int().nullable(),
    data: z.array(z.object({ id: z.string(), file: z.string(), text: z.string() })),
  }),
  async run({ tx }) {
    const inForce = await loadOwnerPolicies(tx)
    return ok({
      body: {
        revision: inForce?.revision ?? null,
        data: (inForce?.policies ?? []).map(({ id, file, text }) => ({ id, file, text })),
      },
    })
  },
})
