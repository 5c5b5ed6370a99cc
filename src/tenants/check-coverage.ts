import { isOperation, type Operation } from '../identity/index.ts'
import type { Tree } from './declarations.ts'
import type { Path, Problem } from './problem.ts'
import type { LicenseFile, ModelFile, TenantFile } from './schema.ts'
import type { Source } from './source.ts'

type Application = TenantFile['applications'][number]
type Entitlement = LicenseFile['entitlements'][number]

/** An application at its place in a tenant's file, and the license that should cover it. */
interface Asked {
  readonly source: Source
  readonly path: Path
  readonly application: Application
  /** Undefined while its file cannot be read. */
  readonly license: LicenseFile | undefined
  readonly models: Tree['models']
}

/** An audience, a purpose or a scope that no entitlement covers: every call with it would be refused. */
export function uncoveredUses(asked: Asked): readonly Problem[] {
  const { source, path, application, license } = asked
  if (license === undefined) return []
  const { audience } = application
  const rights = license.entitlements.filter(
    (right) => right.audiences.includes(audience) && shareSite(right, application),
  )
  if (rights.length > 0) return [...uncoveredPurposes(asked, license, rights), ...uncoveredScopes(asked, rights)]
  return [
    source.problem([...path, 'audience'], {
      message: `${application.application} could never call: no entitlement of ${license.license} is for the audience ${audience} at its facilities`,
      advice: `add ${audience} to the audiences of an entitlement of its license, or remove the application`,
    }),
  ]
}

const shareSite = (right: Entitlement, application: Application): boolean =>
  right.facilities === undefined || right.facilities.some((facility) => application.facilities.includes(facility))

function uncoveredPurposes(
  { source, path, application }: Asked,
  license: LicenseFile,
  rights: readonly Entitlement[],
): readonly Problem[] {
  const granted = [...new Set(rights.flatMap((right) => right.purposes))]
  return application.purposes.flatMap((purpose, index) =>
    granted.includes(purpose)
      ? []
      : [
          source.problem([...path, 'purposes', index], {
            message: `no entitlement of ${license.license} lets ${application.audience} use a model for ${purpose}`,
            advice: `write one of ${granted.join(', ')}, or add ${purpose} to an entitlement`,
          }),
        ],
  )
}

function uncoveredScopes(
  { source, path, application, models }: Asked,
  rights: readonly Entitlement[],
): readonly Problem[] {
  const reachable = rights.filter((right) => right.purposes.some((purpose) => application.purposes.includes(purpose)))
  const protocols = reachable.map((right) => models.get(right.model)?.value.protocol)
  // Nothing is said of scopes while the purposes or a model's file must be mended first.
  if (reachable.length === 0 || protocols.includes(undefined)) return []
  return application.scopes.flatMap((scope, index) =>
    !isOperation(scope) || protocols.includes(protocolOf[scope])
      ? []
      : [
          source.problem([...path, 'scopes', index], {
            message: `${application.application} could never use the scope ${scope}: none of its models speaks ${protocolOf[scope]}`,
            advice: `remove ${scope}, or entitle ${application.audience} to a model with the protocol ${protocolOf[scope]}`,
          }),
        ],
  )
}

const protocolOf: Readonly<Record<Operation, ModelFile['protocol']>> = {
  chat: 'openai',
  embeddings: 'openai',
  infer: 'open-inference',
}
