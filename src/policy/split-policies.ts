/** One policy as it stands in a file. */
export interface PolicyPiece {
  /** Where it begins, in code units from the beginning of the file. */
  readonly start: number
  readonly text: string
}

// A string ends with its line at the latest: what is left open in one policy must not swallow the next.
const token = /\/\/[^\n]*|"(?:\\.|[^"\\\n])*"?|;|\s+|[^\s;"/]+|\//g

/**
 * Cuts a file into its policies, each up to its semicolon; comments between them belong to nobody. Each policy is then
 * read by itself, so that a mistake in one hides nothing in the others, and every message has its place.
 */
export function splitPolicies(text: string): readonly PolicyPiece[] {
  const pieces: PolicyPiece[] = []
  let start: number | undefined
  let end = 0
  for (const { 0: part, index } of text.matchAll(token)) {
    if (part.startsWith('//') || part.trim() === '') continue
    start ??= index
    end = index + part.length
    if (part !== ';') continue
    pieces.push({ start, text: text.slice(start, end) })
    start = undefined
  }
  if (start !== undefined) pieces.push({ start, text: text.slice(start, end) })
  return pieces
}
