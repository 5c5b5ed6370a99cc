import {
  clientIdOf,
  type Audience,
  type Profile,
  type PublicJwk,
  type Purpose,
  type Role,
  type Scope,
  type SenderConstraint,
  type TenantKind,
} from '../identity/index.ts'
import type { LicenseGrant } from '../licensing/index.ts'
import type { KeptPolicy, Stage } from '../policy/index.ts'
import type { Card, SignOff } from '../release/index.ts'
import type { PlanTerms, Price } from '../billing/index.ts'
import type { Declarations } from './declarations.ts'
import { byText } from './problem.ts'
import type { LicenseFile, ModelFile } from './schema.ts'

/** What is declared, cut into the things that the database keeps one row of. Names, not ids: the tree knows no ids. */
export interface Rows {
  readonly model: readonly ModelRow[]
  readonly version: readonly VersionRow[]
  readonly deployment: readonly DeploymentRow[]
  readonly plan: readonly PlanRow[]
  readonly tenant: readonly TenantRow[]
  readonly facility: readonly FacilityRow[]
  readonly application: readonly ApplicationRow[]
  readonly client: readonly ClientRow[]
  readonly sign_in: readonly SignInRow[]
  readonly license: readonly LicenseRow[]
  readonly policy: readonly PolicyRow[]
}

// Type aliases, not interfaces: only these are documents to the compiler (an interface may grow elsewhere).
export type ModelRow = {
  readonly model: string
  readonly title: string
  readonly protocol: ModelFile['protocol']
  readonly noticeDays: number
}
export type VersionRow = {
  readonly model: string
  readonly version: string
  readonly stage: Stage
  readonly contextTokens: number
  readonly outputTokens: number
  readonly recalled: string | undefined
  /** The names by which model hosts know it: what the version is. */
  readonly upstream: readonly string[]
  readonly card: Card | undefined
  /** Those that the file lists. They are written when a step uses them, and are no change by themselves. */
  readonly signOffs: readonly SignOff[]
}
export type DeploymentRow = {
  readonly model: string
  readonly version: string
  readonly deployment: string
  readonly url: string
  readonly upstreamModel: string
  readonly region: string
  readonly weight: number
  readonly credentialEnv: string | undefined
}
export type PlanRow = {
  readonly plan: string
  readonly currency: string
  readonly prices: readonly Price[]
  /** What is not agreed is left out, so that a plan without it is the document that it always was. */
  readonly terms: PlanTerms
}
export type TenantRow = {
  readonly tenant: string
  readonly name: string
  readonly kind: TenantKind
}
export type FacilityRow = {
  readonly tenant: string
  readonly facility: string
  readonly name: string
  readonly region: string
}
export type ApplicationRow = {
  readonly tenant: string
  readonly application: string
  readonly audience: Audience
  readonly facilities: readonly string[]
  readonly purposes: readonly Purpose[]
  readonly scopes: readonly Scope[]
}
/** The side of an application that signs assertions. */
export type ClientRow = {
  readonly tenant: string
  readonly application: string
  readonly clientId: string
  readonly profile: Profile
  readonly senderConstraint: SenderConstraint | undefined
  readonly certificates: readonly string[]
  readonly jwksUri: string | undefined
  readonly keys: readonly PublicJwk[] | undefined
}
/** The provider of a tenant's own people. */
export type SignInRow = {
  readonly tenant: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecretEnv: string | undefined
  readonly scopes: readonly string[]
  readonly groupsClaim: string
  readonly roles: Readonly<Record<string, Role>>
}
export type LicenseRow = LicenseGrant & { readonly tenant: string }
/** The owner's policies, or those of one tenant; empty for a tenant that restricts nothing. */
export type PolicyRow = {
  readonly tenant: string | undefined
  readonly policies: readonly KeptPolicy[]
}

/** What a license file grants. */
export function grantIn({ license, plan, term, evaluation, ...terms }: LicenseFile): LicenseGrant {
  return { license, plan, termStart: term.start, termEnd: term.end, graceDays: term.graceDays, evaluation, terms }
}

/** The rows that declarations ask for. */
export function rowsOf(declared: Declarations): Rows {
  const models = declared.models.map(({ value }) => value)
  const tenants = declared.tenants.map(({ tenant }) => tenant.value)
  return {
    model: models.map(({ model, title, protocol, noticeDays }) => ({ model, title, protocol, noticeDays })),
    version: models.flatMap(({ model, versions }) =>
      versions.map((version) => ({
        model,
        version: version.version,
        stage: version.stage,
        ...tokenLimits(version),
        recalled: version.recalled,
        upstream: upstreamOf(version),
        card: version.card,
        signOffs: signOffsOf(version),
      })),
    ),
    deployment: models.flatMap(({ model, versions }) =>
      versions.flatMap(({ version, deployments }) =>
        deployments.map((deployment) => ({
          model,
          version,
          deployment: deployment.name,
          url: deployment.url,
          upstreamModel: deployment.model,
          region: deployment.region,
          weight: deployment.weight,
          credentialEnv: deployment.credential?.env,
        })),
      ),
    ),
    plan: declared.plans.map(({ value: { plan, currency, prices, ...terms } }) => ({ plan, currency, prices, terms })),
    tenant: tenants.map(({ tenant, name, kind }) => ({ tenant, name, kind })),
    facility: tenants.flatMap(({ tenant, facilities }) => facilities.map((facility) => ({ tenant, ...facility }))),
    application: tenants.flatMap(({ tenant, applications }) =>
      applications.map(({ client: _client, ...application }) => ({ tenant, ...application })),
    ),
    client: tenants.flatMap(({ tenant, applications }) =>
      applications.flatMap(({ application, client }) =>
        client === undefined
          ? []
          : [
              {
                tenant,
                application,
                clientId: clientIdOf({ tenant, application }),
                profile: client.profile,
                senderConstraint: client.senderConstraint ?? (client.profile === 'fapi2' ? 'dpop' : undefined),
                certificates: client.certificates ?? [],
                jwksUri: client.jwksUri,
                keys: client.jwks?.keys,
              },
            ],
      ),
    ),
    sign_in: tenants.flatMap(({ tenant, signIn }) =>
      signIn === undefined ? [] : [{ tenant, ...signIn, clientSecretEnv: signIn.clientSecretEnv }],
    ),
    license: declared.tenants.map(({ tenant, license }) => ({
      tenant: tenant.value.tenant,
      ...grantIn(license.value),
    })),
    policy: [
      { tenant: undefined, policies: declared.policies },
      ...declared.tenants.map(({ tenant, policies }) => ({ tenant: tenant.value.tenant, policies })),
    ],
  }
}

/** How each thing is called in a plan, and in the database when it is looked up. */
export const nameOf = {
  model: (row: ModelRow) => row.model,
  version: (row: VersionRow) => `${row.model}@${row.version}`,
  deployment: (row: DeploymentRow) => `${row.model}@${row.version}/${row.deployment}`,
  plan: (row: PlanRow) => row.plan,
  tenant: (row: TenantRow) => row.tenant,
  facility: (row: FacilityRow) => `${row.tenant}/${row.facility}`,
  application: (row: ApplicationRow) => `${row.tenant}/${row.application}`,
  client: (row: ClientRow) => row.clientId,
  sign_in: (row: SignInRow) => row.tenant,
  license: (row: LicenseRow) => `${row.tenant}/${row.license}`,
  // No tenant is called so: it is a reserved name.
  policy: (row: PolicyRow) => row.tenant ?? 'policies',
}

export const upstreamOf = ({ deployments }: ModelFile['versions'][number]): readonly string[] =>
  [...new Set(deployments.map(({ model }) => model))].toSorted(byText)

export const signOffsOf = ({ signOffs }: ModelFile['versions'][number]): readonly SignOff[] =>
  signOffs.map(({ to, role, by, on }) => ({ to, role, by, at: on }))

/** A predictor has no tokens; its columns hold the least that the table allows, and no call of one reads them. */
export const tokenLimits = ({
  limits,
}: ModelFile['versions'][number]): { contextTokens: number; outputTokens: number } =>
  limits ?? { contextTokens: 1, outputTokens: 0 }
