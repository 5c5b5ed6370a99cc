/** One policy as it stands in a file. */
export interface PolicyPiece {
  /** Where it begins, in code units from the beginning of the file. */
  readonly start: number
  readonly text: string
  /** Undefined for one that Cedar may be given. */
  readonly excess: PolicyExcess | undefined
}

export interface PolicyExcess {
  readonly what: 'characters' | 'brackets' | 'operators'
  readonly most: number
}

/**
 * Cedar reads by recursion on a stack of its own, and one that overflows it is broken for as long as the process lives: no
 * call could be decided any more. It stood 117 brackets in each other, and 363 operators in a row; these are far below.
 */
const bounds = { characters: 10_000, brackets: 20, operators: 150 } as const

// A string ends with its line at the latest: what is left open in one policy must not swallow the next.
const token = /\/\/[^\n]*|"(?:\\.|[^"\\\n])*"?|;|\s+|[()[\]{}]|&&|\|\||[-+*!.<>=]|[^-\s;"/()[\]{}&|+*!.<>=]+|./g
const operator = /^(?:&&|\|\||[-+*!.<>=]|if|in|has|is|like)$/

/**
 * Cuts a file into its policies, each up to its semicolon; comments between them belong to nobody. Each policy is then
 * read by itself, so that a mistake in one hides nothing in the others, and every message has its place.
 */
export function splitPolicies(text: string): readonly PolicyPiece[] {
  const pieces: PolicyPiece[] = []
  let start: number | undefined
  let end = 0
  let depth = 0
  let deepest = 0
  let operators = 0
  const add = (begin: number) => {
    const policy = text.slice(begin, end)
    pieces.push({
      start: begin,
      text: policy,
      excess: excessOf({ characters: policy.length, brackets: deepest, operators }),
    })
    start = undefined
    depth = deepest = operators = 0
  }
  for (const { 0: part, index } of text.matchAll(token)) {
    if (part.startsWith('//') || part.trim() === '') continue
    start ??= index
    end = index + part.length
    if (/^[([{]$/.test(part)) deepest = Math.max(deepest, ++depth)
    if (/^[)\]}]$/.test(part)) depth--
    if (operator.test(part)) operators++
    if (part === ';') add(start)
  }
  if (start !== undefined) add(start)
  return pieces
}

function excessOf(counted: Readonly<Record<PolicyExcess['what'], number>>): PolicyExcess | undefined {
  const whats = ['characters', 'brackets', 'operators'] as const
  const what = whats.find((one) => counted[one] > bounds[one])
  return what === undefined ? undefined : { what, most: bounds[what] }
}
