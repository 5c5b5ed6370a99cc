import { z } from 'zod'
import { instantOf, type Instant } from '../kernel/index.ts'
import { appendAuditEntry } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, type Actor } from './actor.ts'
import { clientIdOf, Profile, PublicJwk } from './client.ts'

/** An application that proves who it is by signed assertions, as an administrator sees it. */
export interface ClientSummary {
  readonly clientId: string
  readonly tenant: string
  readonly application: string
  readonly profile: Profile
  readonly jwksUri: string | undefined
  /** Of keys that are registered here. */
  readonly keys: readonly PublicJwk[]
  /** Tokens of older ones are dead. */
  readonly revision: number
  readonly endedAt: Instant | undefined
}

/** A tenant has a thousand applications at most, and each one client. */
const clientsMax = 1_000
const KeySet = z.object({ keys: z.array(PublicJwk) })

const clients = (tx: Tx) =>
  tx
    .selectFrom('client')
    .innerJoin('tenant', 'tenant.tenant_id', 'client.tenant_id')
    .selectAll('client')
    .select('tenant.tenant')
    .limit(clientsMax)

type ClientRow = NonNullable<Awaited<ReturnType<ReturnType<typeof clients>['executeTakeFirst']>>>

const summaryOf = (row: ClientRow): ClientSummary => ({
  clientId: clientIdOf(row),
  tenant: row.tenant,
  application: row.application,
  profile: Profile.parse(row.profile),
  jwksUri: row.jwks_uri ?? undefined,
  keys: row.jwks === null ? [] : KeySet.parse(row.jwks).keys,
  revision: row.revision,
  endedAt: row.ended_at === null ? undefined : instantOf(row.ended_at),
})

export async function listClients(tx: Tx, tenant: string): Promise<readonly ClientSummary[]> {
  const rows = await clients(tx).where('tenant.tenant', '=', tenant).orderBy('client.application').execute()
  return rows.map(summaryOf)
}

export async function findClient(tx: Tx, clientId: string): Promise<ClientSummary | undefined> {
  const row = await clients(tx).where('client.client_id', '=', clientId).executeTakeFirst()
  return row === undefined ? undefined : summaryOf(row)
}

/**
 * Ends every token that a client has, everywhere within a second: tokens name the revision under which they were issued. The
 * client itself goes on, and gets new ones for new assertions. Undefined when there is no such client.
 */
export async function revokeClientTokens(
  tx: Tx,
  wish: { clientId: string; reason: string; actor: Actor; now: Instant },
): Promise<{ revision: number } | undefined> {
  const { clientId, reason, actor, now } = wish
  const row = await tx
    .updateTable('client')
    .set((eb) => ({ revision: eb('revision', '+', 1) }))
    .where('client_id', '=', clientId)
    .returning(['tenant_id', 'revision'])
    .executeTakeFirst()
  if (row === undefined) return undefined
  await appendAuditEntry(tx, {
    tenantId: row.tenant_id,
    at: now,
    action: 'client.revoke_tokens',
    agent: agentOf(actor),
    entity: { type: 'client', id: clientId, revision: String(row.revision) },
    outcome: 'done',
    reason,
    facts: {},
  })
  return { revision: row.revision }
}
