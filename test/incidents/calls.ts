import { callRaw, openRaw, type RawCall, type RawWish } from '../conformance/raw-caller.ts'
import type { Caller } from './target.ts'

export interface ChatWish {
  readonly model?: string
  readonly stream?: boolean
  /** Null: none is named. */
  readonly maxTokens?: number | null
  readonly prompt?: string
  /** Members that the body has as well. */
  readonly members?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the body that the rest would make. */
  readonly body?: string
  readonly path?: string
}

export interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly requestId: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** All of it is here: the announced length, or a stream up to `[DONE]`. */
  readonly isWhole: boolean
}

/** More bytes than `exact` has tokens of context. */
export const longPrompt = 'Chest pain for an hour, what now? '.repeat(4)

/** The host's side of `exact`: 80 tokens in, 20 out. A call of it is worth 100. */
export const exactKnobs = { promptTokens: 80, completionTokens: 20, chunks: 20 }
export const exactTokens = 100

export function chatRequest(url: string, caller: Caller, wish: ChatWish = {}): RawWish {
  const body = {
    model: wish.model ?? 'exact',
    stream: wish.stream ?? false,
    ...(wish.maxTokens === null ? {} : { max_tokens: wish.maxTokens ?? 20 }),
    messages: [{ role: 'user', content: wish.prompt ?? longPrompt }],
    ...wish.members,
  }
  return {
    url: url + (wish.path ?? '/v1/chat/completions'),
    headers: { ...caller.headers, ...wish.headers },
    body: wish.body ?? JSON.stringify(body),
  }
}

/** A call to its end, whatever that is. */
export async function chat(url: string, caller: Caller, wish: ChatWish = {}): Promise<Answer> {
  return answerOf(chatRequest(url, caller, wish))
}

export async function answerOf(request: RawWish): Promise<Answer> {
  const { status, headers, body, end } = await callRaw(request)
  const text = body.toString()
  const isStream = String(headers['content-type']).includes('text/event-stream')
  return {
    status,
    code: status === 200 ? undefined : /"code":"([a-z_]+)"/.exec(text)?.[1],
    requestId: String(headers['x-request-id']),
    headers,
    text,
    isWhole: status === 200 && end === 'closed' && (!isStream || text.endsWith('data: [DONE]\n\n')),
  }
}

export const get = (url: string, caller: Caller): Promise<Answer> =>
  answerOf({ url, method: 'GET', headers: caller.headers })

/** A call that somebody looks at while it is under way. */
export const openChat = (url: string, caller: Caller, wish: ChatWish = {}): RawCall =>
  openRaw(chatRequest(url, caller, wish))

/** How often each way of ending came: `whole`, or the status with its code. */
export function tally(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { isWhole, status, code } of answers) {
    const what = isWhole ? 'whole' : `${status} ${code ?? ''}`.trim()
    counts[what] = (counts[what] ?? 0) + 1
  }
  return counts
}

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** The one of a list that a count falls on, round and round. */
export function nth<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length]
  if (found === undefined) throw new Error('an empty list has no members')
  return found
}

/** Pieces of content in a stream. */
export const piecesIn = (text: string): number => text.match(/"content":"[^"]/g)?.length ?? 0
