import { z } from '@hono/zod-openapi'
import { err, isoOf, ok } from '../../kernel/index.ts'
import {
  formatMoney,
  stripeStates,
  listStripeDocuments,
  listStripeEvents,
  loadStripeStatus,
  pushAgain,
  type StripeDocument,
} from '../../billing/index.ts'
import { defineOperation } from '../operation.ts'
import {
  cursorOf,
  financeOffice,
  instantOfText,
  Name,
  ownersAuditors,
  page,
  pageByName,
  Paging,
  partsOf,
} from '../parts.ts'
import { refusedPush } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'

const Counts = z.record(z.string(), z.int())

export const getStripeStatus = defineOperation({
  id: 'getStripeStatus',
  method: 'get',
  path: '/stripe',
  tag: 'stripe',
  summary: 'What stands of Stripe: documents and reports of usage by state, differences, the last event',
  roles: ownersAuditors,
  answer: z.object({
    documents: Counts,
    usage: Counts,
    open_differences: z.int(),
    tenants_without_customer: z.array(z.string()),
    last_event_at: z.string().nullable(),
  }),
  async run({ tx }) {
    const status = await loadStripeStatus(tx)
    return ok({
      body: {
        documents: status.documents,
        usage: status.usage,
        open_differences: status.openDifferences,
        tenants_without_customer: status.tenantsWithoutCustomer,
        last_event_at: isoOrNull(status.lastEventAt),
      },
    })
  },
})

const State = z.enum(stripeStates)
const Document = z
  .object({
    number: z.string(),
    tenant: z.string(),
    kind: z.enum(['invoice', 'credit_note']),
    state: State,
    status: z.string().openapi({ description: 'Stripe’s own word.' }),
    stripe_id: z.string().nullable(),
    total: z.string(),
    collected: z.string(),
    currency: z.string(),
    looked_at: z.string().nullable(),
    last_error: z.string().nullable(),
    differences: z.array(z.object({ line: z.string(), class: z.string(), here: z.string(), there: z.string() })),
  })
  .openapi('StripeDocument')

const shown = (one: StripeDocument) => ({
  number: one.number,
  tenant: one.tenant,
  kind: one.kind,
  state: one.state,
  status: one.status,
  stripe_id: one.stripeId ?? null,
  total: formatMoney(one.total, one.currency),
  collected: formatMoney(one.collected, one.currency),
  currency: one.currency,
  looked_at: isoOrNull(one.lookedAt),
  last_error: one.lastError ?? null,
  differences: one.differences,
})

export const listAllStripeDocuments = defineOperation({
  id: 'listStripeDocuments',
  method: 'get',
  path: '/stripe/documents',
  tag: 'stripe',
  summary: 'Invoices and credit notes as they stand at Stripe, with what differs from ours',
  roles: ownersAuditors,
  query: z.strictObject({ ...Paging, state: State.optional() }),
  answer: page(Document),
  run: ({ tx }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) => listStripeDocuments(tx, { state: query.state, after, limit }),
      nameOf: ({ number }) => number,
      show: (rows) => rows.map(shown),
    }),
})

export const pushStripeDocument = defineOperation({
  id: 'pushStripeDocument',
  method: 'post',
  path: '/stripe/documents/{number}/push',
  tag: 'stripe',
  summary: 'Has a document pushed within the next minute, whatever it was to wait for',
  roles: financeOffice,
  params: z.object({ number: Name }),
  body: z.strictObject({}),
  answer: z.object({ number: z.string(), state: State }),
  async run({ tx, by }, { params }) {
    const { actor, now } = by
    const asked = await pushAgain(tx, { number: params.number, actor, now })
    return asked.ok ? ok({ body: asked.value }) : err([refusedPush(asked.error)])
  },
})

export const listAllStripeEvents = defineOperation({
  id: 'listStripeEvents',
  method: 'get',
  path: '/stripe/events',
  tag: 'stripe',
  summary: 'Events that Stripe’s webhook brought, and what became of them, the latest first',
  roles: ownersAuditors,
  query: z.strictObject(Paging),
  answer: page(
    z.object({
      event: z.string(),
      type: z.string(),
      about: z.string().nullable(),
      outcome: z.enum(['done', 'ignored', 'not_ours']),
      received_at: z.string(),
    }),
  ),
  async run({ tx }, { query }) {
    const cursor = partsOf(query.after, 2)
    if (!cursor.ok) return cursor
    const [at = '', eventId = ''] = cursor.value ?? []
    const receivedAt = instantOfText(at)
    const before = receivedAt === undefined ? undefined : { receivedAt, eventId }
    const rows = await listStripeEvents(tx, { before, limit: query.limit + 1 })
    const data = rows.slice(0, query.limit)
    const last = data.at(-1)
    return ok({
      body: {
        data: data.map((one) => ({
          event: one.eventId,
          type: one.type,
          about: one.about ?? null,
          outcome: one.outcome,
          received_at: isoOf(one.receivedAt),
        })),
        next: rows.length > query.limit && last !== undefined ? cursorOf([isoOf(last.receivedAt), last.eventId]) : null,
      },
    })
  },
})
