import { clinicalPurposes } from '../identity/index.ts'
import { budgetName } from '../licensing/index.ts'
import { checkEntitlements } from './check-entitlements.ts'
import { danglingName, repeatedNames } from './check-names.ts'
import type { Declared, Referable } from './declarations.ts'
import { quoted, type Problem } from './problem.ts'
import type { LicenseFile } from './schema.ts'

/** What a license refers to, and what it may not say of itself. `tenant` is the folder that it lies in. */
export function checkLicense(tenant: string, license: Declared<LicenseFile>, tree: Referable): readonly Problem[] {
  const { value, source } = license
  const problems: Problem[] = []
  if (!tree.plans.has(value.plan))
    problems.push(
      danglingName(source, ['plan'], {
        what: 'plan',
        name: value.plan,
        declared: [...tree.plans.keys()],
        declareIt: `declare it in plans/${value.plan}.yaml`,
      }),
    )
  if (!tree.tenants.has(tenant))
    problems.push(
      source.problem([], {
        message: `${quoted(tenant)} has a license and no tenant.yaml`,
        advice: `add ${tenant}/tenant.yaml, or remove the folder`,
      }),
    )
  return [
    ...problems,
    ...checkEntitlements(tenant, license, tree),
    ...checkBudgets(tenant, license, tree),
    ...repeatedNames(source, ['residency'], undefined, value.residency),
    ...checkEvaluation(license),
  ]
}

/** An evaluation is never for treatment, whatever the contract calls it. */
function checkEvaluation({ value, source }: Declared<LicenseFile>): readonly Problem[] {
  if (!value.evaluation) return []
  return value.entitlements.flatMap((right, at) =>
    right.purposes.flatMap((purpose, index) =>
      clinicalPurposes.has(purpose)
        ? [
            source.problem(['entitlements', at, 'purposes', index], {
              message: `an evaluation license cannot grant ${purpose}`,
              advice:
                'write HTEST, TRAIN, HQUALIMP or HRESCH instead; for treatment, agree on a license without evaluation: true',
            }),
          ]
        : [],
    ),
  )
}

function checkBudgets(tenant: string, { value, source }: Declared<LicenseFile>, tree: Referable): readonly Problem[] {
  const owner = tree.tenants.get(tenant)?.value
  const models = [...new Set(value.entitlements.map(({ model }) => model))]
  const seen = new Set<string>()
  return value.budgets.flatMap((budget, index) => {
    const path = ['budgets', index]
    const problems: Problem[] = []
    const name = budgetName(budget)
    if (seen.has(name))
      problems.push(
        source.problem(path, {
          message: `there is a budget ${name} already`,
          advice: 'keep one of the two, with the limit that was agreed',
        }),
      )
    seen.add(name)
    const parts = [
      { key: 'model', what: 'entitlement to a model', declared: models },
      { key: 'application', what: 'application', declared: owner?.applications.map(({ application }) => application) },
      { key: 'facility', what: 'facility', declared: owner?.facilities.map(({ facility }) => facility) },
    ] as const
    for (const { key, what, declared } of parts) {
      const part = budget[key]
      if (part === undefined || declared === undefined || declared.includes(part)) continue
      const declareIt = key === 'model' ? 'entitle this license to it' : `declare it in ${tenant}/tenant.yaml`
      problems.push(danglingName(source, [...path, key], { what, name: part, declared, declareIt }))
    }
    return problems
  })
}
