import { sql } from 'kysely'
import { assert } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { ended, is, portions, written } from './changed-rows.ts'
import type { Change } from './change.ts'

/** Writes tenants, and ends those that left the tree. What belongs to one stays as it is: it ends and returns with it. */
export async function applyTenants(tx: Tx, changes: readonly Change[], at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('tenant'))))
    await tx
      .insertInto('tenant')
      .values(rows.map(({ tenant, name, kind }) => ({ tenant, name, kind })))
      .onConflict((conflict) =>
        conflict.column('tenant').doUpdateSet((eb) => ({ name: eb.ref('excluded.name'), ended_at: null })),
      )
      .execute()
  for (const rows of portions(ended(changes.filter(is('tenant')))))
    await tx
      .updateTable('tenant')
      .set({ ended_at: at })
      .where(
        'tenant',
        'in',
        rows.map(({ tenant }) => tenant),
      )
      .execute()
}

export type TenantIds = ReadonlyMap<string, string>

/** Of the tenants that something else changes of; none are asked for when nothing does. */
export async function tenantIds(tx: Tx, changes: readonly Change[]): Promise<TenantIds> {
  if (!changes.some(({ what }) => ['facility', 'application', 'client', 'sign_in', 'license', 'policy'].includes(what)))
    return new Map()
  const rows = await tx.selectFrom('tenant').select(['tenant', 'tenant_id']).execute()
  return new Map(rows.map((row) => [row.tenant, row.tenant_id]))
}

export function idOf(ids: TenantIds, tenant: string): string {
  const id = ids.get(tenant)
  assert(id, `the tenant ${tenant} was not written before what belongs to it`)
  return id
}

export async function applyFacilities(tx: Tx, changes: readonly Change[], ids: TenantIds, at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('facility'))))
    await tx
      .insertInto('facility')
      .values(
        rows.map(({ tenant, facility, name, region }) => ({ tenant_id: idOf(ids, tenant), facility, name, region })),
      )
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'facility']).doUpdateSet((eb) => ({
          name: eb.ref('excluded.name'),
          region: eb.ref('excluded.region'),
          ended_at: null,
        })),
      )
      .execute()
  for (const { tenant, facility } of ended(changes.filter(is('facility'))))
    await tx
      .updateTable('facility')
      .set({ ended_at: at })
      .where('tenant_id', '=', idOf(ids, tenant))
      .where('facility', '=', facility)
      .execute()
}

export async function applyApplications(tx: Tx, changes: readonly Change[], ids: TenantIds, at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('application'))))
    await tx
      .insertInto('application')
      .values(
        rows.map((row) => ({
          tenant_id: idOf(ids, row.tenant),
          application: row.application,
          audience: row.audience,
          facilities: [...row.facilities],
          purposes: [...row.purposes],
          scopes: [...row.scopes],
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'application']).doUpdateSet((eb) => ({
          audience: eb.ref('excluded.audience'),
          facilities: eb.ref('excluded.facilities'),
          purposes: eb.ref('excluded.purposes'),
          scopes: eb.ref('excluded.scopes'),
          ended_at: null,
        })),
      )
      .execute()
  for (const { tenant, application } of ended(changes.filter(is('application'))))
    await tx
      .updateTable('application')
      .set({ ended_at: at })
      .where('tenant_id', '=', idOf(ids, tenant))
      .where('application', '=', application)
      .execute()
}

/** Each change counts: what was issued to a client as it was before is refused from then on. */
export async function applyClients(tx: Tx, changes: readonly Change[], ids: TenantIds, at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('client'))))
    await tx
      .insertInto('client')
      .values(
        rows.map((row) => ({
          tenant_id: idOf(ids, row.tenant),
          application: row.application,
          client_id: row.clientId,
          profile: row.profile,
          sender_constraint: row.senderConstraint ?? null,
          certificates: [...row.certificates],
          jwks_uri: row.jwksUri ?? null,
          jwks: row.keys === undefined ? null : JSON.stringify({ keys: row.keys }),
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'application']).doUpdateSet((eb) => ({
          profile: eb.ref('excluded.profile'),
          sender_constraint: eb.ref('excluded.sender_constraint'),
          certificates: eb.ref('excluded.certificates'),
          jwks_uri: eb.ref('excluded.jwks_uri'),
          jwks: eb.ref('excluded.jwks'),
          revision: eb('client.revision', '+', 1),
          ended_at: null,
        })),
      )
      .execute()
  for (const { tenant, application } of ended(changes.filter(is('client'))))
    await tx
      .updateTable('client')
      .set((eb) => ({ ended_at: at, revision: eb('revision', '+', 1) }))
      .where('tenant_id', '=', idOf(ids, tenant))
      .where('application', '=', application)
      .execute()
}

/** Each change counts: whoever signed in at the provider as it was before is signed out. */
export async function applySignIns(tx: Tx, changes: readonly Change[], ids: TenantIds, at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('sign_in'))))
    for (const row of rows)
      await sql`
        insert into sign_in (tenant_id, kind, issuer, client_id, client_secret_env, scopes, groups_claim, roles)
        select tenant_id, kind, ${row.issuer}, ${row.clientId}, ${row.clientSecretEnv ?? null}, ${[...row.scopes]}::text[],
          ${row.groupsClaim}, ${JSON.stringify(row.roles)}::jsonb
        from tenant where tenant_id = ${idOf(ids, row.tenant)}
        on conflict (tenant_id) do update set issuer = excluded.issuer, client_id = excluded.client_id,
          client_secret_env = excluded.client_secret_env, scopes = excluded.scopes, groups_claim = excluded.groups_claim,
          roles = excluded.roles, revision = sign_in.revision + 1, ended_at = null`.execute(tx)
  for (const { tenant } of ended(changes.filter(is('sign_in'))))
    await tx
      .updateTable('sign_in')
      .set((eb) => ({ ended_at: at, revision: eb('revision', '+', 1) }))
      .where('tenant_id', '=', idOf(ids, tenant))
      .execute()
}
