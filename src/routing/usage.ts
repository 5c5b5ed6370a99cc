/** What a call used. `source` says who says so. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** host: the model host; estimated: counted from what was delivered; none: nothing was used. */
  readonly source: 'host' | 'estimated' | 'none'
}

export interface ReportedUsage {
  readonly inputTokens: number
  readonly outputTokens: number
}

/**
 * Reads OpenAI's usage object; undefined when it is absent or is not one (negative, fractions, text for numbers).
 * Embeddings have no output; a usage without its input is half a usage, which is none.
 */
export function readUsage(value: unknown): ReportedUsage | undefined {
  if (typeof value !== 'object' || value === null || !('prompt_tokens' in value)) return undefined
  const inputTokens = value.prompt_tokens
  const outputTokens = 'completion_tokens' in value ? value.completion_tokens : 0
  return isCount(inputTokens) && isCount(outputTokens) ? { inputTokens, outputTokens } : undefined
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** What was delivered, as far as it can be seen without keeping it. */
export interface Delivered {
  /** Events that carried content. */
  readonly pieces: number
  /** Bytes of that content, JSON escapes included. */
  readonly bytes: number
}

/**
 * The usage to settle. The host's word holds when it is a possible one; a host that says nothing, or says zero for what
 * was delivered, is replaced by an estimate: one token per piece or per four bytes, whichever is more, and one input
 * token per four bytes of the request. Never more than the reservation: `bound`.
 */
export function settledUsage(
  reported: ReportedUsage | undefined,
  delivered: Delivered,
  request: { bytes: number },
  bound: { inputTokens: number; outputTokens: number },
): Usage {
  const plausible =
    reported !== undefined && reported.inputTokens > 0 && (reported.outputTokens > 0 || delivered.bytes === 0)
  if (plausible && reported.inputTokens <= bound.inputTokens && reported.outputTokens <= bound.outputTokens)
    return { ...reported, source: 'host' }
  const claimed = plausible
    ? reported
    : {
        inputTokens: Math.ceil(request.bytes / 4),
        outputTokens: Math.max(delivered.pieces, Math.ceil(delivered.bytes / 4)),
      }
  return {
    inputTokens: Math.min(claimed.inputTokens, bound.inputTokens),
    outputTokens: Math.min(claimed.outputTokens, bound.outputTokens),
    source: 'estimated',
  }
}
