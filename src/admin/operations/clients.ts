import { z } from '@hono/zod-openapi'
import { err, ok } from '../../kernel/index.ts'
import { findClient, listClients, Profile, revokeClientTokens, type ClientSummary } from '../../identity/index.ts'
import { defineOperation } from '../operation.ts'
import { keyKeepers, Name, readers, Reason } from '../parts.ts'
import { notFound } from '../refusal.ts'
import { isoOrNull } from '../shown.ts'
import { findTenant } from './tenants.ts'

const Client = z
  .object({
    client_id: z.string(),
    tenant: z.string(),
    application: z.string(),
    profile: Profile,
    jwks_uri: z.string().nullable().openapi({ description: 'Where it publishes its keys; null: they are declared.' }),
    kids: z.array(z.string()).openapi({ description: 'The names of its declared keys.' }),
    revision: z.int().openapi({ description: 'Counts its changes. Tokens of older revisions open nothing.' }),
    ended_at: z.string().nullable(),
  })
  .openapi('Client')

const shown = (client: ClientSummary) => ({
  client_id: client.clientId,
  tenant: client.tenant,
  application: client.application,
  profile: client.profile,
  jwks_uri: client.jwksUri ?? null,
  kids: client.keys.map(({ kid }) => kid),
  revision: client.revision,
  ended_at: isoOrNull(client.endedAt),
})

export const listTenantClients = defineOperation({
  id: 'listClients',
  method: 'get',
  path: '/tenants/{tenant}/clients',
  tag: 'clients',
  summary: 'The programs of a tenant that prove who they are by signed assertions; declared in its tenant.yaml',
  roles: readers,
  params: z.object({ tenant: Name }),
  answer: z.object({ data: z.array(Client) }),
  async run({ tx }, { params }) {
    if ((await findTenant(tx, params.tenant)) === undefined) return err([notFound('tenant', params.tenant)])
    return ok({ body: { data: (await listClients(tx, params.tenant)).map(shown) } })
  },
})

export const getClient = defineOperation({
  id: 'getClient',
  method: 'get',
  path: '/clients/{client_id}',
  tag: 'clients',
  summary: 'One of them',
  roles: readers,
  params: z.object({ client_id: Name }),
  answer: Client,
  async run({ tx }, { params }) {
    const client = await findClient(tx, params.client_id)
    return client === undefined ? err([notFound('client', params.client_id)]) : ok({ body: shown(client) })
  },
})

export const revokeTokensOfClient = defineOperation({
  id: 'revokeClientTokens',
  method: 'post',
  path: '/clients/{client_id}/revoke-tokens',
  tag: 'clients',
  summary: 'Ends every access token of a client, everywhere within a second. It gets new ones for new assertions',
  roles: keyKeepers,
  params: z.object({ client_id: Name }),
  body: z.strictObject({ reason: Reason }),
  answer: z.object({ client_id: z.string(), revision: z.int() }),
  async run({ tx, by: { actor, now } }, { params, body }) {
    const wish = { clientId: params.client_id, reason: body.reason, actor, now }
    const revoked = await revokeClientTokens(tx, wish)
    return revoked === undefined
      ? err([notFound('client', params.client_id)])
      : ok({ body: { client_id: params.client_id, revision: revoked.revision } })
  },
})
