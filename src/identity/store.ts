import { z } from 'zod'
import { err, instant, instantOf, ok, type Instant, type Result, type Uuid } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { ApplicationFacts, FacilityFacts, KeyFacts, TenantFacts } from './principal.ts'
import { clientIdOf, Profile, PublicJwk, senderConstraintOf, type ClientFacts } from './client.ts'
import { Audience, Purpose, TenantKind } from './words.ts'
import { isScope, type Scope } from './scope.ts'

const instantOrNothing = (date: Date | null): Instant | undefined => (date === null ? undefined : instantOf(date))

export interface TenantIdentity {
  readonly tenant: TenantFacts
  readonly applications: ReadonlyMap<string, ApplicationFacts>
  readonly keys: readonly KeyFacts[]
  readonly clients: readonly ClientFacts[]
}

const KeySet = z.object({ keys: z.array(PublicJwk) })
const publicKeysOf = ({ jwks, jwks_uri: url }: { jwks: unknown; jwks_uri: string | null }): ClientFacts['keys'] => {
  if (url !== null) return { url }
  return { registered: jwks === null ? [] : KeySet.parse(jwks).keys }
}

/**
 * Reads tenants with their applications, keys and clients: some, or all of them. Keys that expired more than a day ago
 * are left behind: they are refused either way.
 */
export async function loadIdentities(
  tx: Tx,
  tenantIds: readonly Uuid[] | 'all',
  now: Instant,
): Promise<readonly TenantIdentity[]> {
  const some = tenantIds === 'all' ? undefined : [...tenantIds]
  const tenants = await tx
    .selectFrom('tenant')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()
  const facilities = await tx
    .selectFrom('facility')
    .selectAll()
    .where('ended_at', 'is', null)
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()
  const applications = await tx
    .selectFrom('application')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()
  const keys = await tx
    .selectFrom('api_key')
    .selectAll()
    .where('expires_at', '>', new Date(now - 86_400_000))
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()
  const clients = await tx
    .selectFrom('client')
    .selectAll()
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()
  const revoked = await tx
    .selectFrom('revoked_token')
    .select(['tenant_id', 'application', 'jti'])
    .where('expires_at', '>', new Date(now))
    .$if(some !== undefined, (query) => query.where('tenant_id', 'in', some ?? []))
    .execute()

  const facilitiesOf = Map.groupBy(facilities, (row) => row.tenant_id)
  const applicationsOf = Map.groupBy(applications, (row) => row.tenant_id)
  const keysOf = Map.groupBy(keys, (row) => row.tenant_id)
  const clientsOf = Map.groupBy(clients, (row) => row.tenant_id)
  const revokedOf = Map.groupBy(revoked, (row) => `${row.tenant_id}/${row.application}`)
  return tenants.map((row) => {
    const tenant: TenantFacts = {
      tenantId: row.tenant_id,
      tenant: row.tenant,
      kind: TenantKind.parse(row.kind),
      endedAt: instantOrNothing(row.ended_at),
    }
    const sites = new Map((facilitiesOf.get(row.tenant_id) ?? []).map((site) => [site.facility, site]))
    const programs = new Map(
      (applicationsOf.get(row.tenant_id) ?? []).map((program) => [
        program.application,
        {
          application: program.application,
          audience: Audience.parse(program.audience),
          facilities: program.facilities.flatMap((name): FacilityFacts[] => {
            const site = sites.get(name)
            return site === undefined ? [] : [{ facility: name, region: site.region }]
          }),
          purposes: program.purposes.map((purpose) => Purpose.parse(purpose)),
          scopes: program.scopes.filter(isScope),
          endedAt: instantOrNothing(program.ended_at),
        } satisfies ApplicationFacts,
      ]),
    )
    const held = (keysOf.get(row.tenant_id) ?? []).flatMap((key): KeyFacts[] => {
      const application = programs.get(key.application)
      if (application === undefined) return []
      return [
        {
          keyId: key.key_id,
          tenant,
          application,
          secretHmac: key.secret_hmac,
          pepperVersion: key.pepper_version,
          scopes: key.scopes.filter(isScope).filter((scope) => application.scopes.includes(scope)),
          expiresAt: instantOf(key.expires_at),
          revokedAt: instantOrNothing(key.revoked_at),
        },
      ]
    })
    const proving = (clientsOf.get(row.tenant_id) ?? []).flatMap((client): ClientFacts[] => {
      const application = programs.get(client.application)
      if (application === undefined) return []
      return [
        {
          clientId: clientIdOf({ tenant: tenant.tenant, application: client.application }),
          tenant,
          application,
          profile: Profile.parse(client.profile),
          senderConstraint: senderConstraintOf(client),
          certificates: client.certificates,
          keys: publicKeysOf(client),
          revision: client.revision,
          endedAt: instantOrNothing(client.ended_at),
          revokedTokens: new Set((revokedOf.get(`${row.tenant_id}/${client.application}`) ?? []).map(({ jti }) => jti)),
        },
      ]
    })
    return { tenant, applications: programs, keys: held, clients: proving }
  })
}

/** A key without its secret, as an administrator sees it. */
export interface KeySummary {
  readonly keyId: string
  readonly tenant: string
  readonly application: string
  readonly scopes: readonly string[]
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly revokedAt: Instant | undefined
}

export type KeyRefusal =
  | { reason: 'tenant_not_found'; tenant: string }
  | { reason: 'application_not_found'; tenant: string; application: string }
  | { reason: 'scope_not_granted'; scope: string; granted: readonly string[] }
  | { reason: 'key_not_found'; keyId: string }
  | { reason: 'expiry_out_of_range'; daysMax: number }

export async function findApplication(
  tx: Tx,
  name: { tenant: string; application: string },
): Promise<Result<{ tenantId: Uuid; scopes: readonly string[] }, KeyRefusal>> {
  const tenantId = await findTenantId(tx, name.tenant)
  if (tenantId === undefined) return err({ reason: 'tenant_not_found', tenant: name.tenant })
  const application = await tx
    .selectFrom('application')
    .select('scopes')
    .where('tenant_id', '=', tenantId)
    .where('application', '=', name.application)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  if (application === undefined) return err({ reason: 'application_not_found', ...name })
  return ok({ tenantId, scopes: application.scopes })
}

/** A live tenant. */
export async function findTenantId(tx: Tx, tenant: string): Promise<Uuid | undefined> {
  const row = await tx
    .selectFrom('tenant')
    .select('tenant_id')
    .where('tenant', '=', tenant)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  return row?.tenant_id
}

/** Whether there is, or was, a tenant of this name. */
export const isTenant = async (tx: Tx, tenant: string): Promise<boolean> =>
  (await tx.selectFrom('tenant').select('tenant_id').where('tenant', '=', tenant).executeTakeFirst()) !== undefined

export interface NewKey {
  readonly tenantId: Uuid
  readonly keyId: string
  readonly application: string
  readonly secretHmac: Uint8Array
  readonly pepperVersion: number
  readonly scopes: readonly Scope[]
  readonly createdAt: Instant
  readonly expiresAt: Instant
}

export async function insertKey(tx: Tx, key: NewKey): Promise<void> {
  await tx
    .insertInto('api_key')
    .values({
      tenant_id: key.tenantId,
      key_id: key.keyId,
      application: key.application,
      secret_hmac: Buffer.from(key.secretHmac),
      pepper_version: key.pepperVersion,
      scopes: [...key.scopes],
      created_at: new Date(key.createdAt),
      expires_at: new Date(key.expiresAt),
    })
    .execute()
}

/** Marks a key as revoked; the earliest revocation stays. Returns undefined when there is no such key. */
export async function markKeyRevoked(
  tx: Tx,
  revocation: { keyId: string; reason: string; at: Instant },
): Promise<{ tenantId: Uuid; application: string; scopes: readonly string[]; revokedAt: Instant } | undefined> {
  await tx
    .updateTable('api_key')
    .set({ revoked_at: new Date(revocation.at), revoked_reason: revocation.reason })
    .where('key_id', '=', revocation.keyId)
    .where((where) => where.or([where('revoked_at', 'is', null), where('revoked_at', '>', new Date(revocation.at))]))
    .execute()
  const row = await findKeyRow(tx, revocation.keyId)
  if (row === undefined || row.revoked_at === null) return undefined
  return {
    tenantId: row.tenant_id,
    application: row.application,
    scopes: row.scopes,
    revokedAt: instantOf(row.revoked_at),
  }
}

export const findKeyRow = (tx: Tx, keyId: string) =>
  tx.selectFrom('api_key').selectAll().where('key_id', '=', keyId).executeTakeFirst()

export async function listKeys(tx: Tx, tenant: string | undefined): Promise<readonly KeySummary[]> {
  const rows = await tx
    .selectFrom('api_key')
    .innerJoin('tenant', 'tenant.tenant_id', 'api_key.tenant_id')
    .select(['tenant', 'application', 'key_id', 'scopes', 'api_key.created_at', 'expires_at', 'revoked_at'])
    .$if(tenant !== undefined, (query) => query.where('tenant', '=', tenant ?? ''))
    .orderBy('tenant')
    .orderBy('application')
    .orderBy('api_key.created_at')
    .limit(10_000)
    .execute()
  return rows.map((row) => ({
    keyId: row.key_id,
    tenant: row.tenant,
    application: row.application,
    scopes: row.scopes,
    createdAt: instant(row.created_at.getTime()),
    expiresAt: instant(row.expires_at.getTime()),
    revokedAt: instantOrNothing(row.revoked_at),
  }))
}
