import type { Picos } from '../kernel/index.ts'
import type { VersionFacts } from '../policy/index.ts'
import type { Amounts } from './amounts.ts'

/** What a call may use at most, as a function of the output it may produce. */
export interface Bound {
  /** Output tokens per choice that the caller asked for, or the version's maximum. */
  readonly outputTokensWanted: number
  /** With fewer than this the answer would be of no use: what the caller named, else a short answer. */
  readonly outputTokensUseful: number
  /** The upper bound when each choice may have so many output tokens. It grows in equal steps. */
  at(outputTokens: number): Amounts
}

/** What of a request bounds its use. */
export interface Measured {
  readonly operation: 'chat' | 'embeddings' | 'infer'
  /** Bytes of the request's body: no text has more tokens than bytes. */
  readonly bytes: number
  /** Parts whose tokens the bytes do not bound, such as the address of an image. */
  readonly beyondText: boolean
  /** Separate inputs, each of which may fill the context: texts to embed. One for a chat. */
  readonly inputs: number
  /** Answers asked for (`n`). */
  readonly choices: number
  /** The caller's own maximum per choice, if it named one. */
  readonly outputTokensNamed: number | undefined
}

/** An answer of this length is still useful to somebody who did not say how long it should be. */
const usefulTokens = 256

/**
 * The upper bound of a call: min(bytes, context) input tokens, and the clamped output for each choice. The clamp goes
 * to the model host, so that the bound holds.
 */
export function boundOf(
  measured: Measured,
  version: VersionFacts,
  cost: (amounts: Omit<Amounts, 'cost'>) => Picos,
): Bound {
  const inferences = measured.operation === 'infer' ? 1 : 0
  const context = version.contextTokens * measured.inputs
  const tokens = measured.beyondText ? context : Math.min(measured.bytes, context)
  const inputTokens = measured.operation === 'infer' ? 0 : tokens
  const wanted =
    measured.operation === 'chat'
      ? Math.min(measured.outputTokensNamed ?? version.outputTokens, version.outputTokens)
      : 0
  return {
    outputTokensWanted: wanted,
    outputTokensUseful: measured.outputTokensNamed === undefined ? Math.min(wanted, usefulTokens) : wanted,
    at(outputTokens) {
      const amounts = { requests: 1, inputTokens, outputTokens: outputTokens * measured.choices, inferences }
      return { ...amounts, cost: cost(amounts) }
    },
  }
}
