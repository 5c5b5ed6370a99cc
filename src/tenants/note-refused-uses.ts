import { canonicalJson, type Log } from '../kernel/index.ts'
import { isOperation } from '../identity/index.ts'
import { decideByCedar, stageReaches, type PolicyQuestion, type PolicyVerdict } from '../policy/index.ts'
import type { Declarations, DeclaredTenant } from './declarations.ts'
import { policyDocument } from './document.ts'
import type { LicenseFile, ModelFile, TenantFile } from './schema.ts'

type Application = TenantFile['applications'][number]
type Right = LicenseFile['entitlements'][number]

/**
 * What a license grants to an application and policies refuse whatever the purpose and the site: it may be meant, and
 * somebody will be refused for it. That a policy takes away a part is what policies are for, and is not told.
 */
export function noteRefusedUses(declared: Declarations): readonly string[] {
  const models = new Map(declared.models.map(({ value }) => [value.model, value]))
  const ask = asker(declared)
  return declared.tenants.flatMap((tenant) => {
    const { applications, tenant: name } = tenant.tenant.value
    const { entitlements, license } = tenant.license.value
    return applications.flatMap((application) =>
      entitlements
        .filter(({ audiences }) => audiences.includes(application.audience))
        .flatMap((right) => {
          const [first, ...others] = questionsOf(tenant, application, right, models.get(right.model))
          if (first === undefined) return []
          const verdict = ask(tenant, first)
          if (verdict.outcome === 'permit' || others.some((one) => ask(tenant, one).outcome === 'permit')) return []
          return [
            `${license} grants ${right.model} ${right.pin} to ${name}/${application.application}, and policies refuse every use of it (${whyOf(verdict)})`,
          ]
        }),
    )
  })
}

function whyOf(verdict: PolicyVerdict): string {
  if (verdict.outcome !== 'deny') return 'they cannot be evaluated'
  return verdict.by.length === 0 ? 'none permits it' : verdict.by.map(({ policy }) => policy).join(', ')
}

/** Of a pin that is recalled or out of reach nothing is asked: that is told elsewhere. */
function questionsOf(
  { tenant: { value: tenant }, license: { value: license } }: DeclaredTenant,
  application: Application,
  right: Right,
  model: ModelFile | undefined,
): readonly PolicyQuestion[] {
  const version = model?.versions.find((one) => one.version === right.pin)
  if (model === undefined || version === undefined || version.recalled !== undefined) return []
  if (!stageReaches(version.stage, application.audience, tenant.kind)) return []
  const operations = application.scopes
    .filter(isOperation)
    .filter((scope) => (scope === 'infer') === (model.protocol === 'open-inference'))
  const facilities = tenant.facilities.filter(
    ({ facility }) => application.facilities.includes(facility) && (right.facilities?.includes(facility) ?? true),
  )
  return operations.flatMap((operation) =>
    application.purposes
      .filter((purpose) => right.purposes.includes(purpose))
      .flatMap((purpose) =>
        facilities.map(({ facility, region }) => ({
          tenant: tenant.tenant,
          tenantKind: tenant.kind,
          application: application.application,
          audience: application.audience,
          operation,
          model: model.model,
          protocol: model.protocol,
          version: version.version,
          stage: version.stage,
          purpose,
          facility,
          facilityRegion: region,
          evaluation: license.evaluation,
          grace: false,
        })),
      ),
  )
}

const silent: Log = { info() {}, warn() {}, error() {} }

/** Asks as a call would, of the policies as they are declared. They are their own digests. */
function asker({ policies }: Declarations): (tenant: DeclaredTenant, question: PolicyQuestion) => PolicyVerdict {
  const revisionOf = (of: Declarations['policies'], tenant: string | undefined) => ({
    revision: 0,
    policies: of,
    digest: canonicalJson(policyDocument({ tenant, policies: of })),
  })
  const owner = revisionOf(policies, undefined)
  return ({ tenant, policies: own }, question) =>
    decideByCedar(
      { owner, tenant: own.length === 0 ? undefined : revisionOf(own, tenant.value.tenant) },
      question,
      silent,
    )
}
