import { cedar } from './cedar.ts'
import type { PolicyRevision } from './policy-revision.ts'
import { splitPolicies } from './split-policies.ts'

/** Sets of policies that stay parsed: the owner's, and those of the tenants whose calls were decided last. */
const PARSED_MAX = 1000

/**
 * Digest of a revision → its name within Cedar, the least recently used first. Cedar keeps what it parsed under a name
 * for as long as the process lives, and another set under the same name takes its place: names are used again.
 */
const parsed = new Map<string, string>()
const freeNames: string[] = []
let namesMade = 0

/** The name under which Cedar knows a revision's policies; they are parsed once. @throws TypeError when they are none. */
export function parsedAs(revision: PolicyRevision): string {
  const name = parsed.get(revision.digest) ?? parse(revision)
  parsed.delete(revision.digest)
  parsed.set(revision.digest, name)
  return name
}

/** So that the next call parses them anew. */
export function forgetParsed(digest: string): void {
  const name = parsed.get(digest)
  parsed.delete(digest)
  if (name !== undefined) freeNames.push(name)
}

function parse({ policies }: PolicyRevision): string {
  const byId = new Map(policies.map(({ id, text }) => [id, text]))
  // Of two with one id one would be lost, and it could be the one that forbids.
  if (byId.size !== policies.length) throw new TypeError('stored policies have one id twice')
  // They were checked when they were declared; what would break Cedar is not given to it, whoever wrote the row.
  const isSound = ({ text }: { text: string }) => {
    const [piece, ...others] = splitPolicies(text)
    return piece?.text === text && piece.excess === undefined && others.length === 0
  }
  if (!policies.every(isSound)) throw new TypeError('stored policies are not one policy each, of a bounded size')
  const [oldest] = parsed.size < PARSED_MAX ? [] : parsed.keys()
  if (oldest !== undefined) forgetParsed(oldest)
  const name = freeNames.pop() ?? `set ${namesMade++}`
  const answer = cedar().preparsePolicySet(name, { staticPolicies: Object.fromEntries(byId) })
  if (answer.type === 'success') return name
  freeNames.push(name)
  throw new TypeError(`stored policies cannot be parsed: ${answer.errors.map(({ message }) => message).join('; ')}`)
}
