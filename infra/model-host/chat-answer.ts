import { z } from 'zod'
import type { ChatAsked, Tool } from './chat-request.ts'
import type { Knobs } from './knobs.ts'
import { answerTo, piecesOf, sumOf, textMessage } from './text.ts'

/** One choice of an answer, planned before the first token leaves; every choice of a call is the same. */
export type ChatAnswer = {
  /** The `delta` of each piece, as JSON. One piece is one output token. */
  readonly deltas: readonly string[]
  /** The `message` of an answer that is not streamed, as JSON. */
  readonly message: string
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
}

export function planAnswer(asked: ChatAsked, knobs: Knobs): ChatAnswer {
  const cap = knobs.ignoreCap ? Infinity : (asked.maxTokens ?? Infinity)
  if (asked.calls !== null && knobs.text === null && knobs.chunks === null) return planToolCall(asked, asked.calls, cap)

  const said = piecesOf(knobs.text ?? answerTo(asked.question))
  const wanted = Math.min(knobs.chunks ?? said.pieces.length, cap)
  const finishReason = wanted < (knobs.chunks ?? said.pieces.length) ? 'length' : 'stop'
  if (wanted === said.pieces.length) {
    return { deltas: said.deltas, message: said.message, finishReason }
  }
  return {
    deltas: firstOf(said.deltas, wanted),
    message: textMessage(firstOf(said.pieces, wanted).join('')),
    finishReason,
  }
}

/** So many of the pieces, from the start again when there are too few. */
function firstOf(pieces: readonly string[], wanted: number): readonly string[] {
  if (wanted <= pieces.length) return pieces.slice(0, wanted)
  return Array.from({ length: pieces.length === 0 ? 0 : wanted }, (_, index) => pieces[index % pieces.length] ?? '')
}

/** The first piece opens the call with its id and name; the arguments follow in pieces of 12 characters. */
function planToolCall(asked: ChatAsked, tool: Tool, cap: number): ChatAnswer {
  const id = `call_${sumOf(asked.question + tool.function.name).toString(36)}`
  const name = tool.function.name
  const pieces = argumentsFor(tool).match(/.{1,12}/gsu) ?? []
  const kept = pieces.slice(0, Math.max(cap - 1, 0))
  const opening = { index: 0, id, type: 'function', function: { name, arguments: '' } }
  return {
    deltas: [
      JSON.stringify({ tool_calls: [opening] }),
      ...kept.map((piece) => JSON.stringify({ tool_calls: [{ index: 0, function: { arguments: piece } }] })),
    ],
    message: JSON.stringify({
      role: 'assistant',
      content: null,
      refusal: null,
      tool_calls: [{ id, type: 'function', function: { name, arguments: kept.join('') } }],
    }),
    finishReason: kept.length < pieces.length ? 'length' : 'tool_calls',
  }
}

const property = z.object({ type: z.string().optional(), enum: z.array(z.unknown()).min(1).optional() })

const parameters = z.object({
  properties: z.record(z.string(), property).default({}),
  required: z.array(z.string()).default([]),
})

/** Arguments that satisfy a simple JSON Schema: every required property, with a plain value of its type. */
function argumentsFor(tool: Tool): string {
  const read = parameters.safeParse(tool.function.parameters)
  if (!read.success) return '{}'
  const { properties, required } = read.data
  return JSON.stringify(Object.fromEntries(required.map((name) => [name, valueFor(properties[name])])))
}

function valueFor(wanted: z.infer<typeof property> | undefined): unknown {
  if (wanted?.enum !== undefined) return wanted.enum[0]
  switch (wanted?.type) {
    case 'number':
    case 'integer':
      return 1
    case 'boolean':
      return true
    case 'array':
      return []
    case 'object':
      return {}
    default:
      return 'stand-in'
  }
}
