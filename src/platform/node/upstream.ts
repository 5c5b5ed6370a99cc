import { Agent, type Dispatcher } from 'undici'
import { Failure } from '../../kernel/index.ts'
import type { Upstream, UpstreamAnswer, UpstreamRequest } from '../../routing/index.ts'

/** Bytes that may wait for a slow caller before the host is held back. */
const waitingBytesMax = 256 * 1024

export interface NodeUpstreamOptions {
  readonly connectMs: number
  /** Connections to one host at most; calls beyond that wait for one. */
  readonly connectionsMax: number
}

/** Model hosts over undici's dispatcher: pooled connections, no redirects, no pipelining, back-pressure by pause. */
export function nodeUpstream(options: NodeUpstreamOptions): Upstream & { close(): Promise<void> } {
  const agent = new Agent({
    connections: options.connectionsMax,
    pipelining: 1,
    connect: { timeout: options.connectMs, noDelay: true },
    keepAliveTimeout: 30_000,
    // The deadlines are routing's own, and differ between a first byte and an idle stream.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 32 * 1024,
  })
  return {
    open(request) {
      const handler = new AnswerHandler()
      agent.dispatch(dispatchOptions(request), handler)
      return { answer: handler.answer, cancel: () => handler.cancel() }
    },
    close: () => agent.destroy(),
  }
}

function dispatchOptions(request: UpstreamRequest): Dispatcher.DispatchOptions {
  const slash = request.url.indexOf('/', request.url.indexOf('//') + 2)
  return {
    origin: request.url.slice(0, slash),
    path: request.url.slice(slash),
    method: request.method,
    headers: request.headers,
    body: request.body ?? null,
  }
}

/** Turns undici's pushes into the pulls of an answer. */
class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly answer: Promise<UpstreamAnswer>
  #resolve!: (answer: UpstreamAnswer) => void
  #reject!: (error: Failure) => void
  #controller: Dispatcher.DispatchController | undefined
  #cancelled = false
  #paused = false
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #ended = false
  #broken: Failure | undefined
  #reader:
    | { readonly resolve: (chunk: Uint8Array | undefined) => void; readonly reject: (error: Failure) => void }
    | undefined

  constructor() {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // A call that was cancelled may have nobody left who waits for its head.
    this.answer.catch(() => {})
  }

  cancel(): void {
    if (this.#ended || this.#cancelled) return
    this.#cancelled = true
    const failure = new Failure('model_host', 'the call was cancelled', { retryable: false })
    this.#break(failure)
    this.#controller?.abort(failure)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#cancelled) controller.abort(new Failure('model_host', 'the call was cancelled', { retryable: false }))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // An informational answer is not the answer.
    if (status < 200) return
    this.#resolve({
      status,
      contentType: textOf(headers['content-type']) ?? '',
      retryAfter: textOf(headers['retry-after']),
      read: () => this.#read(),
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#reader !== undefined) {
      const { resolve } = this.#reader
      this.#reader = undefined
      resolve(chunk)
      return
    }
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > waitingBytesMax && !this.#paused) {
      this.#paused = true
      controller.pause()
    }
  }

  onResponseEnd(): void {
    this.#ended = true
    this.#reader?.resolve(undefined)
    this.#reader = undefined
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#break(
      error instanceof Failure
        ? error
        : new Failure('model_host', 'the model host broke the connection', { retryable: true, cause: error }),
    )
  }

  #break(failure: Failure): void {
    if (this.#broken !== undefined || this.#ended) return
    this.#broken = failure
    this.#reject(failure)
    this.#reader?.reject(failure)
    this.#reader = undefined
  }

  #read(): Promise<Uint8Array | undefined> {
    const chunk = this.#waiting.shift()
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.length
      if (this.#paused && this.#waitingBytes < waitingBytesMax / 2) {
        this.#paused = false
        this.#controller?.resume()
      }
      return Promise.resolve(chunk)
    }
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    if (this.#ended) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
    })
  }
}

const textOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)
