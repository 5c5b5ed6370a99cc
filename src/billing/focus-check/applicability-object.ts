import { isPlainObject, type JsonObject } from './json-cell.ts'

const members: ReadonlySet<string> = new Set([
  'IsGlobalScope',
  'IsComplexScope',
  'Applicability',
  'InclusionOperator',
  'Inclusions',
  'ExclusionOperator',
  'Exclusions',
])
const operators: ReadonlySet<unknown> = new Set(
  ['In', 'NotIn', 'StartsWith', 'NotStartsWith', 'Contains', 'NotContains', 'EndsWith'].concat(
    'Exists',
    'DoesNotExist',
  ),
)

/** What is wrong with a Contract Commitment Applicability Object, by the requirements of its column; nothing when it is right. */
export function applicabilityProblem(object: JsonObject): string | undefined {
  const foreign = Object.keys(object).find((key) => !members.has(key))
  if (foreign !== undefined) return `has ${foreign}`
  const { IsGlobalScope: global = false, IsComplexScope: complex = false } = object
  if (typeof global !== 'boolean' || typeof complex !== 'boolean') return 'has a scope that is neither true nor false'
  if (global && complex) return 'is global and complex at once'
  const { InclusionOperator: including, Inclusions: inclusions } = object
  if (global || complex) {
    if (including !== undefined || inclusions !== undefined) return 'has inclusions beside a whole scope'
  } else {
    if (including !== 'And' && including !== 'Or') return 'has inclusions without And or Or'
    if (!Array.isArray(inclusions) || inclusions.length === 0) return 'has neither a scope nor inclusions'
  }
  const { ExclusionOperator: excluding = 'Or', Exclusions: exclusions } = object
  if (excluding !== 'And' && excluding !== 'Or') return 'has exclusions without And or Or'
  return (
    fractionProblem(object['Applicability']) ??
    [inclusions, exclusions]
      .flatMap((rules) => (Array.isArray(rules) ? (rules as readonly unknown[]) : []))
      .map(ruleProblem)
      .find((problem) => problem !== undefined)
  )
}

function ruleProblem(rule: unknown): string | undefined {
  if (!isPlainObject(rule)) return 'has a rule that is no object'
  const { Dimension: dimension, Operator: operator, Values: values } = rule
  if (typeof dimension !== 'string' || dimension === '') return 'has a rule without a dimension'
  if (!operators.has(operator)) return `has the operator ${String(operator)}`
  if (!Array.isArray(values) || values.length === 0 || !values.every((value) => typeof value === 'string'))
    return 'has a rule without values'
  if (values.includes('*') && values.length > 1) return 'has the wildcard beside other values'
  return fractionProblem(rule['Applicability'])
}

function fractionProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (!isPlainObject(value)) return 'has an applicability that is no object'
  const wrong = Object.entries(value).find(
    ([key, part]) => !['Cost', 'Usage'].includes(key) || typeof part !== 'number' || part < 0 || part > 1,
  )
  return wrong === undefined ? undefined : `has the applicability ${wrong[0]} outside of 0 to 1`
}
