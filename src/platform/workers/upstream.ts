import { Failure } from '../../kernel/index.ts'
import type { Upstream, UpstreamAnswer, UpstreamRequest } from '../../routing/index.ts'

/** Model hosts over fetch, which keeps connections for all requests of an isolate. No redirects; back-pressure by pull. */
export const fetchUpstream: Upstream = {
  open(request) {
    const controller = new AbortController()
    const answer = send(request, controller.signal)
    // A call that was cancelled may have nobody left who waits for its head.
    answer.catch(() => {})
    return { answer, cancel: () => controller.abort() }
  },
}

async function send(request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamAnswer> {
  const { method, headers, body } = request
  const response = await orHostFailed(() =>
    fetch(request.url, { method, headers, body: body ?? null, redirect: 'manual', signal }),
  )
  const reader = response.body?.getReader()
  return {
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    retryAfter: response.headers.get('retry-after') ?? undefined,
    async read() {
      if (reader === undefined) return undefined
      const part = await orHostFailed(() => reader.read())
      return part.done ? undefined : part.value
    },
  }
}

/** Whatever fetch throws, the host is not there or has gone, or the call was cancelled, which its caller knows. */
async function orHostFailed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new Failure('model_host', 'the model host broke the connection', { retryable: true, cause: error })
  }
}
