import type { Knobs } from './knobs.ts'

/**
 * The `usage` an answer reports, as JSON, or null for none at all. What the host's own log says is not touched by it.
 */
export function reportedUsage(knobs: Knobs, inputTokens: number, outputTokens: number): string | null {
  switch (knobs.usage) {
    case 'absent':
      return null
    case 'null':
      return 'null'
    case 'zero':
      return usageJson(0, 0)
    case 'negative':
      return usageJson(-inputTokens, -outputTokens)
    case 'huge':
      return usageJson(999_999_999_999, 999_999_999_999)
    default:
      return usageJson(inputTokens, outputTokens)
  }
}

function usageJson(inputTokens: number, outputTokens: number): string {
  return `{"prompt_tokens":${inputTokens},"completion_tokens":${outputTokens},"total_tokens":${inputTokens + outputTokens}}`
}
