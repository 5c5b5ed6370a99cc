import { z } from 'zod'
import type { Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import { Role } from './actor.ts'
import type { ProviderFacts } from './sign-in/provider-facts.ts'
import { TenantKind } from './words.ts'

const Mapping = z.record(z.string(), Role)

const providers = (tx: Tx) =>
  tx
    .selectFrom('sign_in')
    .innerJoin('tenant', 'tenant.tenant_id', 'sign_in.tenant_id')
    .selectAll('sign_in')
    .select(['tenant.tenant', 'tenant.name'])
    .where('sign_in.ended_at', 'is', null)
    .where('tenant.ended_at', 'is', null)

/** The live provider of a live tenant. */
export async function findProvider(
  tx: Tx,
  of: { readonly tenant: string } | { readonly tenantId: Uuid },
): Promise<ProviderFacts | undefined> {
  const row = await (
    'tenant' in of
      ? providers(tx).where('tenant.tenant', '=', of.tenant)
      : providers(tx).where('tenant.tenant_id', '=', of.tenantId)
  ).executeTakeFirst()
  return row === undefined ? undefined : factsOf(row)
}

/** That of the owner's own people. */
export async function findOwnersProvider(tx: Tx): Promise<ProviderFacts | undefined> {
  const row = await providers(tx).where('tenant.kind', '=', 'owner').orderBy('tenant.tenant').executeTakeFirst()
  return row === undefined ? undefined : factsOf(row)
}

const factsOf = (
  row: NonNullable<Awaited<ReturnType<ReturnType<typeof providers>['executeTakeFirst']>>>,
): ProviderFacts => ({
  tenantId: row.tenant_id,
  tenant: row.tenant,
  name: row.name,
  kind: TenantKind.parse(row.kind),
  issuer: row.issuer,
  clientId: row.client_id,
  clientSecretEnv: row.client_secret_env ?? undefined,
  scopes: row.scopes,
  groupsClaim: row.groups_claim,
  roles: new Map(Object.entries(Mapping.parse(row.roles))),
  revision: row.revision,
})
