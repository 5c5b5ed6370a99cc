import type { Tree } from './declarations.ts'
import { fileProblem, type Problem } from './problem.ts'

/** What only the whole of the files can say: one owner, and no license number twice. */
export function checkTree(tree: Tree): readonly Problem[] {
  return [...checkOwner(tree), ...checkNumbers(tree)]
}

function checkOwner(tree: Tree): readonly Problem[] {
  const owners = [...tree.tenants].filter(([, tenant]) => tenant?.value.kind === 'owner')
  const [first, ...others] = owners
  // The owner may be in a file that cannot be read yet.
  if (first === undefined && ![...tree.tenants.values()].includes(undefined))
    return [
      fileProblem('', {
        message: 'no tenant is the owner',
        advice:
          'write kind: owner in the tenant.yaml of the institution that owns the models; it is a tenant of itself',
      }),
    ]
  return others.flatMap(([, tenant]) =>
    tenant === undefined
      ? []
      : [
          tenant.source.problem(['kind'], {
            message: `${first?.[0] ?? ''} is the owner already`,
            advice: 'write the kind of this tenant: health-system, hospital, research or application',
          }),
        ],
  )
}

function checkNumbers(tree: Tree): readonly Problem[] {
  const first = new Map<string, string>()
  return [...tree.licenses.values()].flatMap((license) => {
    if (license === undefined) return []
    const { value, source } = license
    const other = first.get(value.license)
    if (other === undefined) {
      first.set(value.license, source.file)
      return []
    }
    return [
      source.problem(['license'], {
        message: `${value.license} is the number of ${other} already`,
        advice: 'write the number on this contract; a number is used once',
      }),
    ]
  })
}
