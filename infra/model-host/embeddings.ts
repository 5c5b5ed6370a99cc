import { z } from 'zod'
import { faultInstead } from './faults.ts'
import { refuseCall } from './http-answers.ts'
import type { ServedCall } from './served-call.ts'
import { sumOf } from './text.ts'
import { sendWhole } from './whole-answer.ts'

const dimensionsDefault = 384
const tokens = z.array(z.number().int().min(0))

const embeddingsRequest = z.object({
  model: z.string().min(1),
  // Texts, or texts already turned into token numbers, which the official clients also send.
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048), tokens.min(1), z.array(tokens).min(1).max(2048)]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.number().int().min(1).max(4096).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
})

/** `POST /v1/embeddings`. */
export async function serveEmbeddings(call: ServedCall): Promise<void> {
  const read = embeddingsRequest.safeParse(call.body)
  if (!read.success) return refuseCall(call, 400, z.prettifyError(read.error))
  const request = read.data
  const inputs = inputsOf(request.input)
  const counted = inputs.reduce((sum, input) => sum + input.tokens, 0)
  call.model = request.model
  call.user = request.user ?? request.safety_identifier ?? null
  call.inputTokens = call.knobs.promptTokens ?? Math.min(counted, call.bodyBytes)
  const fault = faultInstead(call)
  if (fault !== null) return fault

  if (call.knobs.firstTokenMs > 0 && !(await call.pause(call.knobs.firstTokenMs))) return
  const dimensions = request.dimensions ?? dimensionsDefault
  const data = inputs.map((input, index) => {
    const vector = embed(input.text, dimensions)
    const embedding = request.encoding_format === 'base64' ? base64Of(vector) : vector
    return { object: 'embedding', index, embedding }
  })
  const usage = embeddingsUsage(call)
  await sendWhole(call, JSON.stringify({ object: 'list', data, model: request.model, ...usage }))
}

function inputsOf(input: z.infer<typeof embeddingsRequest>['input']): { text: string; tokens: number }[] {
  if (typeof input === 'string') return [textInput(input)]
  if (input.every((each) => typeof each === 'number')) return [tokenInput(input)]
  return input.map((each) => (typeof each === 'string' ? textInput(each) : tokenInput([each].flat())))
}

function textInput(text: string): { text: string; tokens: number } {
  return { text, tokens: Math.ceil(text.length / 4) }
}

function tokenInput(input: readonly number[]): { text: string; tokens: number } {
  return { text: input.join(' '), tokens: input.length }
}

/**
 * A unit vector: each word pushes eight places of it up or down, so that texts with words in common lie closer than
 * texts without. Six decimals, so that the numbers and their 32-bit form say the same.
 */
function embed(text: string, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => 0)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['']) {
    let state = sumOf(word) | 1
    for (let push = 0; push < 8; push++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0
      const place = state % dimensions
      vector[place] = (vector[place] ?? 0) + (state & 0x10000 ? 1 : -1)
    }
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => Math.round((value / length) * 1e6) / 1e6)
}

function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}

function embeddingsUsage(call: ServedCall): Record<string, unknown> {
  const tokensUsed = call.inputTokens
  switch (call.knobs.usage) {
    case 'absent':
      return {}
    case 'null':
      return { usage: null }
    case 'zero':
      return { usage: { prompt_tokens: 0, total_tokens: 0 } }
    case 'negative':
      return { usage: { prompt_tokens: -tokensUsed, total_tokens: -tokensUsed } }
    case 'huge':
      return { usage: { prompt_tokens: 999_999_999_999, total_tokens: 999_999_999_999 } }
    default:
      return { usage: { prompt_tokens: tokensUsed, total_tokens: tokensUsed } }
  }
}
