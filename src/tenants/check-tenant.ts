import type { LicenseFile, ModelFile, TenantFile } from './schema.ts'
import { danglingName, repeatedNames } from './check-names.ts'
import type { Declared, Tree } from './declarations.ts'
import { fileProblem, quoted, type Path, type Problem } from './problem.ts'

type Application = TenantFile['applications'][number]
type Entitlement = LicenseFile['entitlements'][number]

/** Names within a tenant, and applications that its license leaves without anything they could call. */
export function checkTenant(tenant: Declared<TenantFile>, tree: Tree): readonly Problem[] {
  const { value, source } = tenant
  const sites = value.facilities.map(({ facility }) => facility)
  const problems = [
    ...repeatedNames(source, ['facilities'], 'facility', sites),
    ...repeatedNames(
      source,
      ['applications'],
      'application',
      value.applications.map(({ application }) => application),
    ),
  ]
  for (const [index, application] of value.applications.entries()) {
    const path = ['applications', index]
    for (const list of ['facilities', 'purposes', 'scopes'] as const)
      problems.push(...repeatedNames(source, [...path, list], undefined, application[list]))
    for (const [at, facility] of application.facilities.entries())
      if (!sites.includes(facility))
        problems.push(
          danglingName(source, [...path, 'facilities', at], {
            what: 'facility',
            name: facility,
            declared: sites,
            declareIt: `declare it under facilities of ${value.tenant}`,
          }),
        )
    problems.push(...uncovered(tenant, application, path, tree))
  }
  if (!tree.licenses.has(value.tenant))
    problems.push(
      fileProblem(source.file, {
        message: `${quoted(value.tenant)} has no license`,
        advice: `add ${value.tenant}/license.yaml; a tenant that leaves is ended by removing its folder`,
      }),
    )
  return problems
}

/** An audience, a purpose or a scope that no entitlement covers: every call with it would be refused. */
function uncovered(
  { value, source }: Declared<TenantFile>,
  application: Application,
  path: Path,
  tree: Tree,
): readonly Problem[] {
  const license = tree.licenses.get(value.tenant)?.value
  if (license === undefined) return []
  const { audience } = application
  const forAudience = license.entitlements.filter(
    (right) => right.audiences.includes(audience) && shareSite(right, application),
  )
  if (forAudience.length === 0)
    return [
      source.problem([...path, 'audience'], {
        message: `${application.application} could never call: no entitlement of ${license.license} is for the audience ${audience} at its facilities`,
        advice: `add ${audience} to the audiences of an entitlement in ${value.tenant}/license.yaml, or remove the application`,
      }),
    ]
  const purposes = application.purposes.flatMap((purpose, index) =>
    forAudience.some((right) => right.purposes.includes(purpose))
      ? []
      : [
          source.problem([...path, 'purposes', index], {
            message: `no entitlement of ${license.license} lets ${audience} use a model for ${purpose}`,
            advice: `write one of ${[...new Set(forAudience.flatMap((right) => right.purposes))].join(', ')}, or add ${purpose} to an entitlement`,
          }),
        ],
  )
  const reachable = forAudience.filter((right) =>
    right.purposes.some((purpose) => application.purposes.includes(purpose)),
  )
  const protocols = reachable.map((right) => tree.models.get(right.model)?.value.protocol)
  // Nothing is said of scopes while the purposes or a model's file must be mended first.
  if (reachable.length === 0 || protocols.includes(undefined)) return purposes
  const scopes = application.scopes.flatMap((scope, index) =>
    protocols.includes(protocolOf[scope])
      ? []
      : [
          source.problem([...path, 'scopes', index], {
            message: `${application.application} could never use the scope ${scope}: none of its models speaks ${protocolOf[scope]}`,
            advice: `remove ${scope}, or entitle ${audience} to a model with the protocol ${protocolOf[scope]}`,
          }),
        ],
  )
  return [...purposes, ...scopes]
}

const shareSite = (right: Entitlement, application: Application): boolean =>
  right.facilities === undefined || right.facilities.some((facility) => application.facilities.includes(facility))

const protocolOf: Readonly<Record<Application['scopes'][number], ModelFile['protocol']>> = {
  chat: 'openai',
  embeddings: 'openai',
  infer: 'open-inference',
}
