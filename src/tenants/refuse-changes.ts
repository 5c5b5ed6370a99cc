import { plusDays, type Instant } from '../kernel/index.ts'
import type { Declarations, Declared, DeclaredTenant } from './declarations.ts'
import type { Current } from './change.ts'
import { sortProblems, type Problem } from './problem.ts'
import { refuseSunsets } from './refuse-sunsets.ts'
import { refuseVersion } from './refuse-version.ts'
import type { ModelFile } from './schema.ts'

/**
 * Changes that would rewrite what others rely on: what a version is, what a tenant is, a license that just goes away.
 * Each is refused with the way that leaves the past as it was.
 */
export function refuseChanges(current: Current, declared: Declarations, now: Instant): readonly Problem[] {
  return sortProblems([
    ...declared.models.flatMap((model) => refuseModel(current, model, now)),
    ...declared.tenants.flatMap((tenant) => [
      ...refuseTenant(current, tenant),
      ...refuseLicense(current, declared.models, tenant, now),
    ]),
  ])
}

function refuseModel(
  current: Current,
  { value: model, source }: Declared<ModelFile>,
  now: Instant,
): readonly Problem[] {
  const kept = current.model.find(({ row }) => row.model === model.model)?.row
  if (kept !== undefined && kept.protocol !== model.protocol)
    return [
      source.problem(['protocol'], {
        message: `${model.model} speaks ${kept.protocol}; its protocol cannot change`,
        advice: `write protocol: ${kept.protocol}, or declare a model with another name`,
      }),
    ]
  return model.versions.flatMap((_version, index) => refuseVersion(current, { value: model, source }, index, now))
}

function refuseTenant(current: Current, { tenant: { value, source } }: DeclaredTenant): readonly Problem[] {
  const kept = current.tenant.find(({ row }) => row.tenant === value.tenant)?.row
  if (kept === undefined || kept.kind === value.kind) return []
  return [
    source.problem(['kind'], {
      message: `${value.tenant} is of kind ${kept.kind}; the kind of a tenant cannot change`,
      advice: `write kind: ${kept.kind}, or declare a tenant with another name and a license of its own`,
    }),
  ]
}

function refuseLicense(
  current: Current,
  declaredModels: Declarations['models'],
  { tenant, license: { value, source } }: Pick<DeclaredTenant, 'tenant' | 'license'>,
  now: Instant,
): readonly Problem[] {
  const name = tenant.value.tenant
  const problems: Problem[] = []
  const stranger = current.license.find(({ row }) => row.license === value.license && row.tenant !== name)
  if (stranger !== undefined)
    problems.push(
      source.problem(['license'], {
        message: `${value.license} was granted to ${stranger.row.tenant}`,
        advice: `write a new number: a license is not handed on, and a tenant with a new name is a new tenant`,
      }),
    )
  // Of two licenses in force the tenant would have both. A number gives way to another only when it has ended.
  for (const { row, overSince } of current.license.filter((kept) => kept.row.tenant === name)) {
    const over = overSince !== undefined || plusDays(row.termEnd, row.graceDays) <= now
    if (row.license !== value.license && !over)
      problems.push(
        source.problem(['license'], {
          message: `${row.license}, which ${name} has, is not over and would vanish`,
          advice: `write license: ${row.license} with what has changed (a renewal is a later term.end), or revoke it first: formulary license revoke ${row.license}`,
        }),
      )
  }
  return [...problems, ...refuseSunsets(current, declaredModels, { tenant, license: { value, source } }, now)]
}
