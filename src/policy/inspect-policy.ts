import type { DetailedError } from '@cedar-policy/cedar-wasm/web'
import { err, ok, type Result } from '../kernel/index.ts'
import { cedar } from './cedar.ts'
import { cedarSchema, named, type NamedType } from './cedar-schema.ts'

/** What Cedar found wrong, in its own words. */
export interface CedarFault {
  /** Where in the policy's text, in code units. */
  readonly at: number
  /** What stands there, as far as Cedar says. */
  readonly to: number
  readonly message: string
  readonly help: string | undefined
}

export interface InspectedPolicy {
  readonly effect: 'permit' | 'forbid'
  /** `@id("x")` → id: x. One without a value is empty. */
  readonly annotations: ReadonlyMap<string, string>
  /** Things of tenants/ that it names, each once. */
  readonly names: readonly { readonly type: NamedType; readonly id: string }[]
}

/** Reads one policy. What it says is not checked yet. */
export function inspectPolicy(text: string): Result<InspectedPolicy, readonly CedarFault[]> {
  const answer = cedar().policyToJson(text)
  if (answer.type === 'failure') return err(answer.errors.flatMap((error) => faultsOf(text, error)))
  const { effect, annotations, ...body } = answer.json
  const names = new Map(namesIn(body).map((name) => [`${name.type} ${name.id}`, name]))
  return ok({
    effect,
    annotations: new Map(Object.entries(annotations ?? {}).map(([name, value]) => [name, value ?? ''])),
    names: [...names.values()],
  })
}

/**
 * Checks policies against the schema, strictly. A warning of Cedar counts as a fault: a policy that can never apply, or
 * a name in letters that only look like others, is not what somebody meant.
 * @returns the faults of each policy that has some, by the names that the caller gave.
 */
export function validatePolicies(texts: ReadonlyMap<string, string>): ReadonlyMap<string, readonly CedarFault[]> {
  const answer = cedar().validate({
    schema: cedarSchema,
    policies: { staticPolicies: Object.fromEntries(texts) },
    validationSettings: { mode: 'strict' },
  })
  if (answer.type === 'failure')
    throw new TypeError(`Cedar does not check: ${answer.errors.map(({ message }) => message).join('; ')}`)
  const broken = new Set(answer.validationErrors.map(({ policyId }) => policyId))
  const warnings = answer.validationWarnings.filter(({ policyId }) => !broken.has(policyId))
  const byPolicy = Map.groupBy([...answer.validationErrors, ...warnings], ({ policyId }) => policyId)
  return new Map(
    [...byPolicy].map(([policy, errors]) => [
      policy,
      errors.flatMap(({ error }) => faultsOf(texts.get(policy) ?? '', error)),
    ]),
  )
}

function faultsOf(text: string, error: DetailedError): readonly CedarFault[] {
  const [place] = error.sourceLocations ?? []
  const help = error.help ?? place?.label ?? undefined
  const message = error.message.replace(/^failed to parse policy from string: /, '').replaceAll(/\s+/g, ' ')
  return [{ at: codeUnits(text, place?.start ?? 0), to: codeUnits(text, place?.end ?? 0), message, help }]
}

/** Cedar counts bytes of UTF-8. */
const codeUnits = (text: string, bytes: number): number =>
  new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, bytes)).length

/** Entities that stand in a policy's JSON as `{ type, id }`, wherever they stand. */
function namesIn(json: unknown): readonly { type: NamedType; id: string }[] {
  if (typeof json !== 'object' || json === null) return []
  if ('type' in json && 'id' in json && typeof json.id === 'string') {
    const type = named.find((known) => known === json.type)
    if (type !== undefined) return [{ type, id: json.id }]
  }
  return Object.values(json).flatMap(namesIn)
}
