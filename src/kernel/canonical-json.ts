export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** One text for one document (RFC 8785): keys sorted by code units, numbers as JavaScript writes them, no spaces. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isJsonList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .flatMap(([key, member]) => (member === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(member)}`]))
  return `{${members.join(',')}}`
}

/** Array.isArray does not narrow a readonly array. */
export const isJsonList = (value: Json): value is readonly Json[] => Array.isArray(value)
