import { invalid } from './problem.ts'

/** What a call asked for: nested, and every leaf a text, as forms have it. */
export interface Params {
  readonly [key: string]: Param | undefined
}
export type Param = string | Params | readonly Param[]

/** Reads `a[b][0][c]=d`, the form encoding of the v1 API. */
export function readForm(text: string): Params {
  const root: Record<string, unknown> = {}
  for (const [path, value] of new URLSearchParams(text)) {
    const keys = path.split(/[[\]]+/u).filter((key) => key !== '')
    let at = root
    for (const key of keys.slice(0, -1)) {
      const next = Object.hasOwn(at, key) ? at[key] : (at[key] = Object.create(null))
      if (typeof next !== 'object' || next === null) throw invalid(`Invalid form: ${path}`)
      at = next as Record<string, unknown>
    }
    const last = keys.at(-1)
    if (last !== undefined) at[last] = value
  }
  return root as Params
}

export function textOf(params: Params, key: string): string | undefined {
  const value = params[key]
  if (value !== undefined && typeof value !== 'string') throw invalid(`Invalid string: ${key}`, key)
  return value
}

export function requireText(params: Params, key: string): string {
  const value = textOf(params, key)
  if (value === undefined || value === '') throw invalid(`Missing required param: ${key}.`, key, 'parameter_missing')
  return value
}

export function wholeOf(params: Params, key: string): number | undefined {
  const value = textOf(params, key)
  if (value === undefined) return undefined
  if (!/^-?\d{1,15}$/u.test(value)) throw invalid(`Invalid integer: ${value}`, key, 'parameter_invalid_integer')
  return Number(value)
}

export function groupOf(params: Params, key: string): Params {
  const value = params[key]
  if (value === undefined || value === '') return {}
  if (typeof value !== 'object') throw invalid(`Invalid object: ${key}`, key)
  return value as Params
}

/** A list, which a form writes as an object with the keys 0, 1, 2. */
export const listOf = (params: Params, key: string): readonly Params[] =>
  Object.values(groupOf(params, key)) as Params[]

export function metadataOf(params: Params): Record<string, string> {
  return Object.fromEntries(
    Object.entries(groupOf(params, 'metadata')).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )
}
