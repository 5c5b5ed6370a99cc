import { z } from '@hono/zod-openapi'
import { err, instantOf, isoOf, ok } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, page, pageOf, Paging, partsOf, readers } from '../parts.ts'
import { notFound } from '../refusal.ts'

const Tenant = z
  .object({ tenant: z.string(), name: z.string(), kind: z.string(), ended_at: z.string().nullable() })
  .openapi('Tenant')
const Facility = z
  .object({ facility: z.string(), name: z.string(), region: z.string(), ended_at: z.string().nullable() })
  .openapi('Facility')
const Application = z
  .object({
    application: z.string(),
    audience: z.string(),
    facilities: z.array(z.string()),
    purposes: z.array(z.string()),
    scopes: z.array(z.string()),
    ended_at: z.string().nullable(),
  })
  .openapi('Application')

const endedOf = (at: Date | null): string | null => (at === null ? null : isoOf(instantOf(at)))
const ofTenant = z.object({ tenant: Name })

/** Within a tenant's transaction only its own is found. */
export const findTenant = (tx: Tx, tenant: string) =>
  tx.selectFrom('tenant').selectAll().where('tenant', '=', tenant).executeTakeFirst()

const shownTenant = (row: { tenant: string; name: string; kind: string; ended_at: Date | null }) => ({
  tenant: row.tenant,
  name: row.name,
  kind: row.kind,
  ended_at: endedOf(row.ended_at),
})

export const listTenants = defineOperation({
  id: 'listTenants',
  method: 'get',
  path: '/tenants',
  tag: 'tenants',
  summary: 'Every tenant, by name',
  roles: readers,
  query: z.strictObject(Paging),
  answer: page(Tenant),
  async run({ tx }, { query }) {
    const after = partsOf(query.after, 1)
    if (!after.ok) return after
    const [name] = after.value ?? []
    const rows = await tx
      .selectFrom('tenant')
      .selectAll()
      .$if(name !== undefined, (select) => select.where('tenant', '>', name ?? ''))
      .orderBy('tenant')
      .limit(query.limit + 1)
      .execute()
    const { rows: shown, next } = pageOf(rows, query.limit, ({ tenant }) => tenant)
    return ok({ body: { data: shown.map(shownTenant), next } })
  },
})

export const getTenant = defineOperation({
  id: 'getTenant',
  method: 'get',
  path: '/tenants/{tenant}',
  tag: 'tenants',
  summary: 'One tenant',
  roles: readers,
  params: ofTenant,
  answer: Tenant,
  async run({ tx }, { params }) {
    const row = await findTenant(tx, params.tenant)
    return row === undefined ? err([notFound('tenant', params.tenant)]) : ok({ body: shownTenant(row) })
  },
})

export const listFacilities = defineOperation({
  id: 'listFacilities',
  method: 'get',
  path: '/tenants/{tenant}/facilities',
  tag: 'tenants',
  summary: 'The sites of a tenant',
  roles: readers,
  params: ofTenant,
  query: z.strictObject(Paging),
  answer: page(Facility),
  async run({ tx }, { params, query }) {
    const tenant = await findTenant(tx, params.tenant)
    if (tenant === undefined) return err([notFound('tenant', params.tenant)])
    const after = partsOf(query.after, 1)
    if (!after.ok) return after
    const rows = await tx
      .selectFrom('facility')
      .selectAll()
      .where('tenant_id', '=', tenant.tenant_id)
      .where('facility', '>', after.value?.[0] ?? '')
      .orderBy('facility')
      .limit(query.limit + 1)
      .execute()
    const { rows: shown, next } = pageOf(rows, query.limit, ({ facility }) => facility)
    return ok({
      body: {
        data: shown.map(({ facility, name, region, ended_at }) => ({
          facility,
          name,
          region,
          ended_at: endedOf(ended_at),
        })),
        next,
      },
    })
  },
})

export const listApplications = defineOperation({
  id: 'listApplications',
  method: 'get',
  path: '/tenants/{tenant}/applications',
  tag: 'tenants',
  summary: 'The programs of a tenant that may call',
  roles: readers,
  params: ofTenant,
  query: z.strictObject(Paging),
  answer: page(Application),
  async run({ tx }, { params, query }) {
    const tenant = await findTenant(tx, params.tenant)
    if (tenant === undefined) return err([notFound('tenant', params.tenant)])
    const after = partsOf(query.after, 1)
    if (!after.ok) return after
    const rows = await tx
      .selectFrom('application')
      .selectAll()
      .where('tenant_id', '=', tenant.tenant_id)
      .where('application', '>', after.value?.[0] ?? '')
      .orderBy('application')
      .limit(query.limit + 1)
      .execute()
    const { rows: shown, next } = pageOf(rows, query.limit, ({ application }) => application)
    return ok({
      body: {
        data: shown.map(({ application, audience, facilities, purposes, scopes, ended_at }) => ({
          application,
          audience,
          facilities,
          purposes,
          scopes,
          ended_at: endedOf(ended_at),
        })),
        next,
      },
    })
  },
})
