import { z } from '@hono/zod-openapi'
import { err, instantOf, isoOf, ok } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { defineOperation } from '../operation.ts'
import { Name, page, pageByName, Paging, readers } from '../parts.ts'
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
  run: ({ tx }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) =>
        tx.selectFrom('tenant').selectAll().where('tenant', '>', after).orderBy('tenant').limit(limit).execute(),
      nameOf: ({ tenant }) => tenant,
      show: (rows) => rows.map(shownTenant),
    }),
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
    return pageByName(query, {
      read: ({ after, limit }) =>
        tx
          .selectFrom('facility')
          .selectAll()
          .where('tenant_id', '=', tenant.tenant_id)
          .where('facility', '>', after)
          .orderBy('facility')
          .limit(limit)
          .execute(),
      nameOf: ({ facility }) => facility,
      show: (rows) =>
        rows.map(({ facility, name, region, ended_at }) => ({ facility, name, region, ended_at: endedOf(ended_at) })),
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
    return pageByName(query, {
      read: ({ after, limit }) =>
        tx
          .selectFrom('application')
          .select(['application', 'audience', 'facilities', 'purposes', 'scopes', 'ended_at'])
          .where('tenant_id', '=', tenant.tenant_id)
          .where('application', '>', after)
          .orderBy('application')
          .limit(limit)
          .execute(),
      nameOf: ({ application }) => application,
      show: (rows) => rows.map(({ ended_at, ...application }) => ({ ...application, ended_at: endedOf(ended_at) })),
    })
  },
})
