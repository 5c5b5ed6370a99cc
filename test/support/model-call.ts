import type { Agent } from 'undici'

export interface CallOutcome {
  /** 0: no answer came. */
  readonly status: number
  readonly code: string | undefined
  readonly requestId: string | undefined
  /** The caller has the whole answer: a body of the announced length, or a stream up to `[DONE]`. */
  readonly isWhole: boolean
}

export interface CallWish {
  readonly key: string
  readonly stream: boolean
  readonly maxTokens?: number
  readonly prompt?: string
  /** `scribe` when nothing is said. */
  readonly model?: string
  /** Closes the connection after so long, whatever has come. */
  readonly leaveAfterMs?: number
}

/** One chat call over a real socket, as a program that notes what it received. Never throws. */
export async function callChat(agent: Agent, origin: string, wish: CallWish): Promise<CallOutcome> {
  const left = new AbortController()
  const timer = wish.leaveAfterMs === undefined ? undefined : setTimeout(() => left.abort(), wish.leaveAfterMs)
  let status = 0
  let requestId: string | undefined
  try {
    const response = await agent.request({
      origin,
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { authorization: `Bearer ${wish.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: wish.model ?? 'scribe',
        stream: wish.stream,
        max_tokens: wish.maxTokens ?? 20,
        messages: [{ role: 'user', content: wish.prompt ?? 'x'.repeat(200) }],
      }),
      signal: left.signal,
    })
    status = response.statusCode
    requestId = String(response.headers['x-request-id'])
    const text = await response.body.text()
    const code = status === 200 ? undefined : /"code":"([a-z_]+)"/.exec(text)?.[1]
    return { status, code, requestId, isWhole: status === 200 && (!wish.stream || text.endsWith('data: [DONE]\n\n')) }
  } catch {
    return { status, code: undefined, requestId, isWhole: false }
  } finally {
    clearTimeout(timer)
  }
}
