import { isJsonList, isoOf, type Instant, type Json } from '../kernel/index.ts'
import type { PlanRow, PolicyRow, VersionRow } from './rows.ts'

export const planDocument = (row: PlanRow): { readonly [key: string]: Json | undefined } => ({
  plan: row.plan,
  currency: row.currency,
  prices: row.prices,
  ...row.terms,
})

/** What a version is. Its stage, its card and its addresses may change; this may not. */
export const versionDocument = (row: VersionRow, protocol: string): { readonly [key: string]: Json } => ({
  model: row.model,
  version: row.version,
  protocol,
  contextTokens: row.contextTokens,
  outputTokens: row.outputTokens,
  upstream: row.upstream,
})

/** The list itself, so that its digest says what the policies are, and not whose. */
export const policyDocument = (row: PolicyRow): readonly Json[] => row.policies

/** A policy as a line of a diff: what it is called, and what it says. */
export const policyWords = (row: PolicyRow): { readonly [key: string]: Json } =>
  Object.fromEntries(row.policies.map(({ file, id, text }) => [`${id} (${file})`, text.replaceAll(/\s*\n\s*/g, ' ')]))

export const instantText = (at: Instant): string => isoOf(at).replace('.000Z', 'Z')

/**
 * A document as lines of a diff: `term.end` → its text. The elements of a list of objects are called by what they are
 * about, not by their position, so that a price added at the top does not change all below it.
 */
export function flatten(value: Json | undefined, path = ''): ReadonlyMap<string, string> {
  if (value === undefined) return new Map()
  if (typeof value !== 'object' || value === null) return new Map([[path, String(value)]])
  if (!isJsonList(value))
    return new Map(
      Object.entries(value).flatMap(([key, member]) => [...flatten(member, path === '' ? key : `${path}.${key}`)]),
    )
  if (value.every((element) => typeof element !== 'object')) return new Map([[path, `[${value.map(word).join(', ')}]`]])
  const seen = new Map<string, number>()
  return new Map(
    value.flatMap((element) => {
      const { label, rest } = labelled(element)
      const count = (seen.get(label) ?? 0) + 1
      seen.set(label, count)
      return [...flatten(rest, `${path}[${count === 1 ? label : `${label} #${count}`}]`)]
    }),
  )
}

/** A list of words reads without quotes; a word with a comma in it is not two. */
const word = (value: Json): string =>
  typeof value === 'string' && /^[\w.-]+$/.test(value) ? value : JSON.stringify(value)

/**
 * What an entitlement, a price or a budget is about, and what else it says. `per` is a budget's period, and a mere
 * number in a price.
 */
function labelled(element: Json): { label: string; rest: Json } {
  if (typeof element !== 'object' || element === null || isJsonList(element)) return { label: '', rest: element }
  // A key is called by its name.
  if (typeof element['kid'] === 'string') return { label: element['kid'], rest: element }
  const { meter, per, model, application, facility, ...others } = element
  const parts = [
    meter,
    typeof per === 'string' ? per : undefined,
    // A budget of the model ehr is not one of the application ehr.
    ...(meter === undefined ? [model] : [said('of', model), said('by', application), said('at', facility)]),
  ]
  const rest = typeof per === 'string' ? others : { per, ...others }
  return { label: parts.filter((part) => typeof part === 'string').join(' '), rest }
}

const said = (before: string, name: Json | undefined): string | undefined =>
  typeof name === 'string' ? `${before} ${name}` : undefined
