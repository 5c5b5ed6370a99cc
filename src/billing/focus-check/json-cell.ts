export type JsonObject = { readonly [key: string]: unknown }

export const isPlainObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function parseObject(cell: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(cell)
    return isPlainObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * flat: Key-Value Format, whose values are plain. nested: JSON Object Format, in whose lists no object is null or stands
 * twice, and all are objects or none is. In both, a key stands once in its object.
 */
export function objectProblem(cell: string, form: 'flat' | 'nested'): string | undefined {
  const object = parseObject(cell)
  if (object === undefined) return 'is no JSON object'
  const twice = repeatedKey(cell)
  if (twice !== undefined) return `has the key ${twice} twice`
  if (form === 'nested') return listProblem(object)
  const deep = Object.entries(object).find(([, value]) => typeof value === 'object' && value !== null)
  return deep === undefined ? undefined : `has an object or a list under ${deep[0]}`
}

function listProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) {
    if (!isPlainObject(value)) return undefined
    return Object.values(value)
      .map(listProblem)
      .find((problem) => problem !== undefined)
  }
  const elements: readonly unknown[] = value
  const objects = elements.filter(isPlainObject)
  if (objects.length > 0 && objects.length < elements.length) return 'has a list of objects and others'
  const texts = objects.map((object) => JSON.stringify(object))
  if (new Set(texts).size < texts.length) return 'has an object twice in a list'
  return elements.map(listProblem).find((problem) => problem !== undefined)
}

/** JSON.parse keeps the last of two equal keys, and says nothing. */
function repeatedKey(text: string): string | undefined {
  const seen: Set<string>[] = []
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') seen.push(new Set())
    else if (token === '}') seen.pop()
    else if (token.endsWith(':')) {
      const key = token.replace(/\s*:$/, '')
      const keys = seen.at(-1)
      if (keys?.has(key) === true) return key
      keys?.add(key)
    }
  }
  return undefined
}
