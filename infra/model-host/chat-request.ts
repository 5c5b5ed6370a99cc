import { z } from 'zod'
import { countPromptTokens } from './prompt-tokens.ts'

const part = z.object({ type: z.string(), text: z.string().optional() })

const message = z.object({
  role: z.string(),
  content: z.union([z.string(), z.array(part)]).nullish(),
})

const tool = z.object({
  type: z.literal('function'),
  function: z.object({ name: z.string().min(1), parameters: z.unknown() }),
})

const chatRequest = z.object({
  model: z.string().min(1),
  messages: z.array(message).min(1).max(10_000),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  tools: z.array(tool).max(128).nullish(),
  tool_choice: z.union([z.string(), z.object({ function: z.object({ name: z.string() }) })]).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
})

export type Tool = z.infer<typeof tool>

/** What a chat request asks for, and nothing else of it. */
export type ChatAsked = {
  model: string
  stream: boolean
  includeUsage: boolean
  /** The cap on one choice's output tokens. */
  maxTokens: number | null
  choices: number
  question: string
  /** The tool that is to be called, when one is. */
  calls: Tool | null
  user: string | null
  promptTokens: number
}

export type ChatReading = { ok: true; asked: ChatAsked } | { ok: false; message: string }

export function readChatRequest(body: unknown, bodyBytes: number): ChatReading {
  const read = chatRequest.safeParse(body)
  if (!read.success) return { ok: false, message: z.prettifyError(read.error) }
  const request = read.data
  const question = lastQuestion(request.messages)
  return {
    ok: true,
    asked: {
      model: request.model,
      stream: request.stream ?? false,
      includeUsage: request.stream_options?.include_usage ?? false,
      maxTokens: smallest(request.max_tokens, request.max_completion_tokens),
      choices: request.n ?? 1,
      question,
      calls: toolToCall(request, question),
      user: request.user ?? request.safety_identifier ?? null,
      promptTokens: promptTokensOf(request, bodyBytes),
    },
  }
}

type ChatRequest = z.infer<typeof chatRequest>

function smallest(one: number | null | undefined, other: number | null | undefined): number | null {
  if (one === null || one === undefined) return other ?? null
  return Math.min(one, other ?? one)
}

function lastQuestion(messages: ChatRequest['messages']): string {
  const content = messages.findLast((candidate) => candidate.role === 'user')?.content ?? ''
  return typeof content === 'string' ? content : content.map((piece) => piece.text ?? '').join('\n')
}

/** A tool is called when the caller insists or the question asks for it, but not again on top of its own result. */
function toolToCall(request: ChatRequest, question: string): Tool | null {
  const tools = request.tools ?? []
  if (tools.length === 0) return null
  const choice = request.tool_choice
  if (typeof choice === 'object' && choice !== null) {
    return tools.find((candidate) => candidate.function.name === choice.function.name) ?? null
  }
  if (choice === 'required') return tools[0] ?? null
  if (choice === 'none' || request.messages.at(-1)?.role === 'tool') return null
  return /call the tool/iu.test(question) ? (tools[0] ?? null) : null
}

function promptTokensOf(request: ChatRequest, bytes: number): number {
  const texts: string[] = []
  let otherParts = 0
  for (const { content } of request.messages) {
    if (typeof content === 'string') texts.push(content)
    else if (Array.isArray(content)) {
      for (const piece of content) {
        if (piece.text === undefined) otherParts += 1
        else texts.push(piece.text)
      }
    }
  }
  if (request.tools?.length) texts.push(JSON.stringify(request.tools))
  return countPromptTokens({ texts, messages: request.messages.length, otherParts, bytes })
}
