import { checkClient } from './check-client.ts'
import { uncoveredUses } from './check-coverage.ts'
import { checkSignIn } from './check-sign-in.ts'
import { danglingName, repeatedNames } from './check-names.ts'
import type { Declared, Tree } from './declarations.ts'
import { fileProblem, quoted, type Problem } from './problem.ts'
import type { TenantFile } from './schema.ts'

/**
 * Names within a tenant, and applications that its license leaves without anything they could call. `name` is the
 * folder that the tenant lies in.
 */
export function checkTenant(name: string, tenant: Declared<TenantFile>, tree: Tree): readonly Problem[] {
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
            declareIt: 'declare it under facilities above',
          }),
        )
    problems.push(...checkClient(source, path, application.client))
    problems.push(
      ...uncoveredUses({ source, path, application, license: tree.licenses.get(name)?.value, models: tree.models }),
    )
  }
  problems.push(...checkSignIn(tenant))
  if (!tree.licenses.has(name))
    problems.push(
      fileProblem(source.file, {
        message: `${quoted(name)} has no license`,
        advice: `add ${name}/license.yaml; a tenant that leaves is ended by removing its folder`,
      }),
    )
  return problems
}
