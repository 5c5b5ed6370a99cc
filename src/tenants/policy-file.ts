import {
  inspectPolicy,
  splitPolicies,
  type CedarFault,
  type InspectedPolicy,
  type PolicyExcess,
} from '../policy/index.ts'
import { err } from '../kernel/index.ts'
import type { Problem, Words } from './problem.ts'

/** One policy of a file, and where it stands. Undefined: Cedar cannot read it. */
export interface DeclaredPolicy {
  readonly start: number
  readonly text: string
  readonly inspected: InspectedPolicy | undefined
  /** It is larger than what Cedar is given, and was not read. */
  readonly excess: PolicyExcess | undefined
}

/** A file of Cedar that was cut into its policies. */
export class PolicyFile {
  readonly file: string
  readonly policies: readonly DeclaredPolicy[]
  /** What Cedar could not read, with the policy that it stands in. */
  readonly unread: readonly { readonly policy: DeclaredPolicy; readonly fault: CedarFault }[]
  readonly #lineStarts: readonly number[]

  constructor(file: string, written: string) {
    // What a checkout makes of line ends is no other policy.
    const text = written.replaceAll('\r\n', '\n')
    this.file = file
    this.#lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
    // Half of a pair of code units is no letter to Cedar.
    const read = splitPolicies(text.toWellFormed()).map((piece) => ({
      piece,
      result: piece.excess === undefined ? inspectPolicy(piece.text) : err([]),
    }))
    const policies = read.map(({ piece, result }) => ({
      ...piece,
      inspected: result.ok ? result.value : undefined,
    }))
    this.policies = policies
    this.unread = read.flatMap(({ result }, index) => {
      const policy = policies[index]
      return result.ok || policy === undefined ? [] : result.error.map((fault) => ({ policy, fault }))
    })
  }

  /** A problem in a policy, so many code units from its beginning. */
  problem(policy: DeclaredPolicy, at: number, words: Words): Problem {
    const offset = policy.start + at
    const line = this.#lineStarts.findLastIndex((start) => start <= offset)
    return {
      file: this.file,
      line: line + 1,
      column: offset - (this.#lineStarts[line] ?? 0) + 1,
      path: policy.inspected?.annotations.get('id') ?? '',
      ...words,
    }
  }
}
