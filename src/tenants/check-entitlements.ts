import semver from 'semver'
import { danglingName, repeatedNames } from './check-names.ts'
import type { Declared, Referable, Versions } from './declarations.ts'
import { someOf } from './nearest.ts'
import { quoted, type Problem } from './problem.ts'
import type { LicenseFile } from './schema.ts'

type Entitlement = LicenseFile['entitlements'][number]

/** Rights that name what is not there, cannot be served, or contradict each other. */
export function checkEntitlements(tenant: string, license: Declared<LicenseFile>, tree: Referable): readonly Problem[] {
  const { value, source } = license
  const sites = tree.tenants.get(tenant)?.value.facilities.map(({ facility }) => facility)
  return value.entitlements.flatMap((right, index) => {
    const path = ['entitlements', index]
    const problems = (['audiences', 'purposes', 'facilities'] as const).flatMap((list) =>
      repeatedNames(source, [...path, list], undefined, right[list] ?? []),
    )
    for (const [at, facility] of right.facilities?.entries() ?? [])
      if (sites !== undefined && !sites.includes(facility))
        problems.push(
          danglingName(source, [...path, 'facilities', at], {
            what: 'facility',
            name: facility,
            declared: sites,
            declareIt: `declare it in ${tenant}/tenant.yaml`,
          }),
        )
    const model = tree.models.get(right.model)
    if (model !== undefined) problems.push(...checkVersions(license, right, index, model.value))
    if (!tree.models.has(right.model))
      problems.push(
        danglingName(source, [...path, 'model'], {
          what: 'model',
          name: right.model,
          declared: [...tree.models.keys()],
          declareIt: `declare it in models/${right.model}.yaml`,
        }),
      )
    return [...problems, ...overlaps(license, right, index)]
  })
}

function checkVersions(
  license: Declared<LicenseFile>,
  right: Entitlement,
  index: number,
  model: Versions,
): readonly Problem[] {
  const { value, source } = license
  const path = ['entitlements', index]
  const pinned = model.versions.find(({ version }) => version === right.pin)
  if (pinned === undefined) {
    const fitting = model.versions.filter(({ version }) => semver.satisfies(version, right.versions))
    return [
      source.problem([...path, 'pin'], {
        message: `${model.model} has no version ${right.pin}`,
        advice:
          fitting.length === 0
            ? `none of its versions (${someOf(model.versions.map(({ version }) => version))}) lies in ${quoted(right.versions)}: change the range and the pin`
            : `write one of ${someOf(fitting.map(({ version }) => version))}, or declare the version in models/${model.model}.yaml`,
      }),
    ]
  }
  // A version that is served nowhere is reported only where the bare name means it; a recalled one refuses anyway.
  const entitled = model.versions.filter(
    (version) =>
      semver.satisfies(version.version, right.versions) &&
      version.recalled === undefined &&
      (version.deployments.length > 0 || version === pinned),
  )
  return entitled.flatMap((version) => {
    const regions = [...new Set(version.deployments.map(({ region }) => region))]
    if (regions.some((region) => value.residency.includes(region))) return []
    return [
      source.problem(['residency'], {
        message: `${model.model} ${version.version}, which this license grants, is served in none of these regions`,
        advice:
          regions.length === 0
            ? `add a deployment of ${version.version} in models/${model.model}.yaml, or pin another version`
            : `add ${regions.join(' or ')} to residency, deploy the version in ${value.residency.join(' or ')}, or leave it out of the range`,
      }),
    ]
  })
}

/** Two rights to one model for the same use: a bare name would have two pins, and which terms hold would be chance. */
function overlaps({ value, source }: Declared<LicenseFile>, right: Entitlement, index: number): readonly Problem[] {
  return value.entitlements.slice(0, index).flatMap((earlier, at) => {
    if (earlier.model !== right.model) return []
    const audience = right.audiences.find((one) => earlier.audiences.includes(one))
    const purpose = right.purposes.find((one) => earlier.purposes.includes(one))
    const apart =
      right.facilities !== undefined &&
      earlier.facilities !== undefined &&
      !right.facilities.some((facility) => earlier.facilities?.includes(facility))
    if (audience === undefined || purpose === undefined || apart) return []
    const together = semver.intersects(earlier.versions, right.versions)
    return [
      source.problem(['entitlements', index], {
        message: `this overlaps entitlements[${at}]: both are for ${right.model}, ${audience}, ${purpose}${together ? ' and share versions' : '; the bare name would have two pins'}`,
        advice: together
          ? `join the two, or remove ${purpose} or ${audience} from one of them`
          : `join the two: versions: "${earlier.versions} || ${right.versions}" with one pin`,
      }),
    ]
  })
}
