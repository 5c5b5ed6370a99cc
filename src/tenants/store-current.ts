import { z } from 'zod'
import { assert, type Instant } from '../kernel/index.ts'
import {
  scopes,
  Audience,
  clientIdOf,
  Profile,
  PublicJwk,
  Purpose,
  Role,
  senderConstraintOf,
  TenantKind,
} from '../identity/index.ts'
import { loadLicenses, type LicenseFacts } from '../licensing/index.ts'
import { loadOwnerPolicies, loadTenantPolicies, protocols } from '../policy/index.ts'
import { loadNotices, loadPins, loadVersions, type VersionRecord } from '../release/index.ts'
import { PlanTerms, Prices } from '../billing/index.ts'
import type { Tx } from '../db/index.ts'
import type { Current } from './change.ts'

const Protocol = z.enum(protocols)
const Purposes = z.array(Purpose)
const KeySet = z.object({ keys: z.array(PublicJwk) })
const Mapping = z.record(z.string(), Role)
const Scopes = z.array(z.enum(scopes))

/** All that the declarations are compared with, in one transaction over all tenants. */
export async function loadCurrent(tx: Tx, now: Instant): Promise<Current> {
  const tenants = await tx.selectFrom('tenant').selectAll().execute()
  const tenantOf = new Map(tenants.map((row) => [row.tenant_id, row.tenant]))
  const named = (tenantId: string): string => tenantOf.get(tenantId) ?? ''
  const facilities = await tx.selectFrom('facility').selectAll().execute()
  const applications = await tx.selectFrom('application').selectAll().execute()
  const clients = await tx.selectFrom('client').selectAll().execute()
  const signIns = await tx.selectFrom('sign_in').selectAll().execute()
  const licenses = await loadLicenses(tx, 'all')
  const released = await loadVersions(tx)
  return {
    ...(await loadCatalog(tx, released)),
    release: {
      standings: new Map([...released].map(([name, { standing }]) => [name, standing])),
      pins: await loadPins(tx, now),
      notices: await loadNotices(tx),
    },
    plan: await loadPlans(tx),
    policy: await loadPolicies(tx, named),
    tenant: tenants.map((row) => ({
      row: { tenant: row.tenant, name: row.name, kind: TenantKind.parse(row.kind) },
      ended: row.ended_at !== null,
    })),
    facility: facilities.map((row) => ({
      row: { tenant: named(row.tenant_id), facility: row.facility, name: row.name, region: row.region },
      ended: row.ended_at !== null,
    })),
    application: applications.map((row) => ({
      row: {
        tenant: named(row.tenant_id),
        application: row.application,
        audience: Audience.parse(row.audience),
        facilities: row.facilities,
        purposes: Purposes.parse(row.purposes),
        scopes: Scopes.parse(row.scopes),
      },
      ended: row.ended_at !== null,
    })),
    client: clients.map((row) => ({
      row: {
        tenant: named(row.tenant_id),
        application: row.application,
        clientId: clientIdOf({ tenant: named(row.tenant_id), application: row.application }),
        profile: Profile.parse(row.profile),
        senderConstraint: senderConstraintOf(row),
        certificates: row.certificates,
        jwksUri: row.jwks_uri ?? undefined,
        keys: row.jwks === null ? undefined : KeySet.parse(row.jwks).keys,
      },
      ended: row.ended_at !== null,
    })),
    sign_in: signIns.map((row) => ({
      row: {
        tenant: named(row.tenant_id),
        issuer: row.issuer,
        clientId: row.client_id,
        clientSecretEnv: row.client_secret_env ?? undefined,
        scopes: row.scopes,
        groupsClaim: row.groups_claim,
        roles: Mapping.parse(row.roles),
      },
      ended: row.ended_at !== null,
    })),
    license: licenses.flatMap((facts) => latest(named(facts.tenantId), facts)),
  }
}

function latest(tenant: string, { license, revisions, acts }: LicenseFacts): Current['license'] {
  const last = revisions.at(-1)
  if (last === undefined) return []
  const { revision, plan, termStart, termEnd, graceDays, evaluation, terms } = last
  const overSince = acts.find(({ act }) => act === 'revoke' || act === 'terminate' || act === 'transfer')?.effectiveAt
  return [{ row: { tenant, license, plan, termStart, termEnd, graceDays, evaluation, terms }, revision, overSince }]
}

async function loadCatalog(
  tx: Tx,
  released: ReadonlyMap<string, VersionRecord>,
): Promise<Pick<Current, 'model' | 'version' | 'deployment'>> {
  const models = await tx.selectFrom('model').selectAll().execute()
  const versions = await tx.selectFrom('model_version').selectAll().execute()
  const deployments = await tx.selectFrom('deployment').selectAll().execute()
  return {
    model: models.map((row) => ({
      row: { model: row.model, title: row.title, protocol: Protocol.parse(row.protocol), noticeDays: row.notice_days },
      ended: row.withdrawn_at !== null,
    })),
    version: versions.map((row) => {
      const record = released.get(`${row.model}@${row.version}`)
      assert(record !== undefined, 'a version has its record')
      return {
        row: {
          model: row.model,
          version: row.version,
          stage: record.standing.stage,
          contextTokens: Number(row.context_tokens),
          outputTokens: Number(row.output_tokens),
          recalled: record.standing.recalled?.reason,
          upstream: record.upstream,
          card: record.card?.card,
          signOffs: [],
        },
        ended: row.withdrawn_at !== null,
      }
    }),
    deployment: deployments.map((row) => ({
      row: {
        model: row.model,
        version: row.version,
        deployment: row.deployment,
        url: row.url,
        upstreamModel: row.upstream_model,
        region: row.region,
        weight: row.weight,
        credentialEnv: row.credential_env ?? undefined,
      },
      ended: row.withdrawn_at !== null,
    })),
  }
}

async function loadPolicies(tx: Tx, named: (tenantId: string) => string): Promise<Current['policy']> {
  const owners = await loadOwnerPolicies(tx)
  const tenants = await loadTenantPolicies(tx, 'all')
  return [
    ...(owners === undefined
      ? []
      : [{ row: { tenant: undefined, policies: owners.policies }, revision: owners.revision }]),
    ...[...tenants].map(([tenantId, { policies, revision }]) => ({
      row: { tenant: named(tenantId), policies },
      revision,
    })),
  ]
}

async function loadPlans(tx: Tx): Promise<Current['plan']> {
  const plans = await tx
    .selectFrom('plan_revision')
    .selectAll()
    .distinctOn('plan')
    .orderBy('plan')
    .orderBy('revision', 'desc')
    .execute()
  return plans.map((row) => ({
    row: {
      plan: row.plan,
      currency: row.currency,
      prices: Prices.parse(row.prices),
      terms: PlanTerms.parse(row.terms),
    },
    revision: row.revision,
  }))
}
