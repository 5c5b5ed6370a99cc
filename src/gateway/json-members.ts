/** Where a member of the outermost object stands in the text: its value is text.slice(start, end). */
export interface Member {
  readonly start: number
  readonly end: number
}

export interface Members {
  readonly members: ReadonlyMap<string, Member>
  /** A name that stands twice. Two readers could each take another one, so that it is refused. */
  readonly repeated: string | undefined
  /** The closing brace of the object. */
  readonly close: number
}

/**
 * Finds the members of the outermost object of a text that `JSON.parse` has accepted, so that single values can be
 * replaced while all the rest stays as it came: numbers keep their digits, escapes their form.
 */
export function membersOf(text: string): Members {
  const members = new Map<string, Member>()
  let repeated: string | undefined
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text.charCodeAt(at) === quote) {
    const nameEnd = stringEnd(text, at)
    const name = nameOf(text.slice(at, nameEnd))
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = valueEnd(text, start)
    if (members.has(name)) repeated ??= name
    members.set(name, { start, end })
    at = skipSpace(text, end)
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1)
  }
  return { members, repeated, close: at }
}

/** Replaces or adds values, given as JSON text; undefined removes nothing and changes nothing. */
export function withMembers(text: string, found: Members, changes: Readonly<Record<string, string>>): string {
  const edits: { start: number; end: number; value: string }[] = []
  let added = ''
  for (const [name, value] of Object.entries(changes)) {
    const member = found.members.get(name)
    if (member === undefined) added += `,${JSON.stringify(name)}:${value}`
    else edits.push({ ...member, value })
  }
  edits.sort((a, b) => a.start - b.start)
  let out = ''
  let from = 0
  for (const { start, end, value } of edits) {
    out += text.slice(from, start) + value
    from = end
  }
  const isEmpty = found.members.size === 0
  return out + text.slice(from, found.close) + (isEmpty ? added.slice(1) : added) + text.slice(found.close)
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** A name whose escapes are broken is taken as it stands: a host's answer is read here too, and may be cut off. */
function nameOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    const name: unknown = JSON.parse(quoted)
    return typeof name === 'string' ? name : quoted
  } catch {
    return quoted
  }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 0x20) at++
  return at
}

/** The index after the closing quote of the string that begins at `from`. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return text.length
}

function valueEnd(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === quote) return stringEnd(text, from)
  if (first !== openBrace && first !== openBracket) {
    let at = from
    for (let code = text.charCodeAt(at); code > 0x20 && code !== comma && code !== closeBrace && code !== closeBracket;)
      code = text.charCodeAt(++at)
    return at
  }
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = stringEnd(text, at) - 1
    else if (code === openBrace || code === openBracket) depth++
    else if ((code === closeBrace || code === closeBracket) && --depth === 0) return at + 1
  }
  return text.length
}
