import { z } from '@hono/zod-openapi'
import { err, instantOf, isoOf, ok } from '../../kernel/index.ts'
import { loadOwnerPolicies } from '../../policy/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, ownersPeople, page, pageByName, Paging, readers } from '../parts.ts'
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
  run: ({ tx }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) =>
        tx
          .selectFrom('model')
          .select(['model', 'title', 'protocol', 'notice_days', 'withdrawn_at'])
          .where('model', '>', after)
          .orderBy('model')
          .limit(limit)
          .execute(),
      nameOf: ({ model }) => model,
      show: (rows) =>
        rows.map(({ withdrawn_at, ...model }) => ({
          ...model,
          withdrawn_at: withdrawn_at === null ? null : isoOf(instantOf(withdrawn_at)),
        })),
    }),
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
  run: ({ tx }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) =>
        tx
          .selectFrom('plan_revision')
          .selectAll()
          .distinctOn('plan')
          .where('plan', '>', after)
          .orderBy('plan')
          .orderBy('revision', 'desc')
          .limit(limit)
          .execute(),
      nameOf: ({ plan }) => plan,
      show: (rows) => rows.map(shownPlan),
    }),
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
