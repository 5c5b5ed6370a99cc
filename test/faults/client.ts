import type { Agent } from 'undici'
import type { CallSeen } from './evidence.ts'

export interface Wish {
  readonly tenant: string
  readonly application: string
  readonly key: string
  readonly operation: 'chat' | 'infer'
  readonly streamed: boolean
  /** Asks for the usage at the end of a stream. */
  readonly wantsUsage: boolean
  /** The most output tokens that the call may be charged for. */
  readonly outputMax: number
  readonly promptLength: number
  /** Closes the connection after so long, whatever has come. */
  readonly leaveAfterMs?: number | undefined
}

/** Longer than every deadline of the gateway together: whoever reaches it was forgotten. */
const patienceMs = 30_000

/** One call over a real socket, by a program that notes what it received and knows nothing else. Never throws. */
export async function call(
  agent: Agent,
  origin: string,
  wish: Wish,
): Promise<Omit<CallSeen, 'gatewayDied' | 'wrongClock'>> {
  const body = bodyOf(wish)
  const began = performance.now()
  const left = new AbortController()
  const timer = setTimeout(() => left.abort(), wish.leaveAfterMs ?? patienceMs)
  let status = 0
  let requestId: string | undefined
  let retryAfter: string | undefined
  let text = ''
  let hasEnded = false
  try {
    const response = await agent.request({
      origin,
      path: wish.operation === 'chat' ? '/v1/chat/completions' : '/v2/models/ecg-low-ef/infer',
      method: 'POST',
      headers: { authorization: `Bearer ${wish.key}`, 'content-type': 'application/json' },
      body,
      signal: left.signal,
    })
    status = response.statusCode
    requestId = headerOf(response.headers['x-request-id'])
    retryAfter = headerOf(response.headers['retry-after'])
    const decoder = new TextDecoder()
    for await (const piece of response.body) text += decoder.decode(piece as Uint8Array, { stream: true })
    hasEnded = true
  } catch {
    // The connection broke, or we left: what has come until then stands above.
  } finally {
    clearTimeout(timer)
  }
  const events = wish.streamed ? eventsIn(text) : []
  return {
    tenant: wish.tenant,
    application: wish.application,
    operation: wish.operation,
    streamed: wish.streamed,
    bytes: Buffer.byteLength(body),
    outputMax: wish.outputMax,
    status,
    code: status === 200 ? undefined : /"code":"([a-z_]+)"/.exec(text)?.[1],
    retryAfter,
    requestId,
    isWhole: hasEnded && status === 200 && (!wish.streamed || events.at(-1) === '[DONE]'),
    hasLeft: left.signal.aborted && wish.leaveAfterMs !== undefined,
    pieces: events.filter((event) => event.endsWith('}') && /"delta":\{"content":"./.test(event)).length,
    usage: status === 200 && wish.operation === 'chat' ? usageIn(text) : undefined,
    milliseconds: Math.round(performance.now() - began),
  }
}

const bodyOf = (wish: Wish): string =>
  JSON.stringify(
    wish.operation === 'infer'
      ? { inputs: [{ name: 'ecg', shape: [1, 12, 1], datatype: 'FP32', data: Array.from({ length: 12 }, () => 0.1) }] }
      : {
          model: 'scribe',
          stream: wish.streamed,
          ...(wish.streamed && wish.wantsUsage ? { stream_options: { include_usage: true } } : {}),
          max_tokens: wish.outputMax,
          messages: [{ role: 'user', content: 'x'.repeat(wish.promptLength) }],
        },
  )

const eventsIn = (text: string): readonly string[] =>
  text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length))

/** The last usage that stands in an answer, whatever it says. */
function usageIn(text: string): CallSeen['usage'] {
  const all = [...text.matchAll(/"usage":\{"prompt_tokens":(-?\d+),"completion_tokens":(-?\d+)/g)]
  const [, input, output] = all.at(-1) ?? []
  return input === undefined || output === undefined ? undefined : { input: Number(input), output: Number(output) }
}

const headerOf = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined
