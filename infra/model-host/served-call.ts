import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Knobs } from './knobs.ts'
import type { CallOutcome, HostOperation, HostUsageRow } from './usage-log.ts'

export type CallEnd = (call: ServedCall, row: HostUsageRow) => void

/**
 * One model call being served. It ends once: by `end`, by `cut`, or by the caller leaving; each writes the usage row.
 * The row is written just before the last bytes leave, so whoever has the whole answer also finds its row.
 */
export class ServedCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly operation: HostOperation
  readonly knobs: Knobs
  /** The body's JSON, not yet validated, and its length as it came. */
  readonly body: unknown
  readonly bodyBytes: number
  /** The model and version in the path, for the protocols that name them there. */
  readonly named: { model: string; version: string | null } | null
  readonly requestId: string | null
  readonly startedAt: number

  model = ''
  user: string | null = null
  maxTokens: number | null = null
  inputTokens = 0
  outputTokens = 0
  sentChunks = 0
  sentBytes = 0

  #onEnd: CallEnd
  #now: () => number
  #over = false
  #gone = false
  #wake: ((here: boolean) => void) | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(
    arrived: Pick<ServedCall, 'request' | 'response' | 'operation' | 'knobs' | 'body' | 'bodyBytes' | 'named'>,
    onEnd: CallEnd,
    now: () => number,
  ) {
    this.request = arrived.request
    this.response = arrived.response
    this.operation = arrived.operation
    this.knobs = arrived.knobs
    this.body = arrived.body
    this.bodyBytes = arrived.bodyBytes
    this.named = arrived.named
    this.requestId = headerOf(arrived.request, 'x-request-id')
    this.#onEnd = onEnd
    this.#now = now
    this.startedAt = now()
    this.response.on('close', () => this.#left())
  }

  get gone(): boolean {
    return this.#gone
  }

  /** Waits, and says whether the caller is still there. */
  pause(milliseconds: number): Promise<boolean> {
    if (this.#gone || milliseconds <= 0) return Promise.resolve(!this.#gone)
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#timer = setTimeout(() => this.#resume(true), milliseconds)
    })
  }

  /** Says nothing more, and resolves when the caller has given up. */
  silence(): Promise<boolean> {
    if (this.#gone) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Lets the event loop turn, so that what was written leaves as a packet of its own. */
  turn(): Promise<boolean> {
    return new Promise((resolve) => {
      setImmediate(() => resolve(!this.#gone))
    })
  }

  /** Writes a part of the body. False when the caller reads too slowly: then wait for `drained`. */
  write(part: string | Buffer): boolean {
    if (this.#gone) return true
    const bytes = Buffer.byteLength(part)
    this.sentBytes += bytes
    return this.response.write(part, encodingOf(part, bytes))
  }

  drained(): Promise<boolean> {
    if (this.#gone || !this.response.writableNeedDrain) return Promise.resolve(!this.#gone)
    return new Promise((resolve) => {
      this.#wake = resolve
      this.response.once('drain', () => this.#resume(true))
    })
  }

  end(last: string | Buffer, outcome: CallOutcome): void {
    if (this.#over) return
    const bytes = Buffer.byteLength(last)
    this.sentBytes += bytes
    this.#finish(outcome)
    this.response.end(last, encodingOf(last, bytes))
  }

  /** What was written leaves, then the connection breaks off without the body's end. */
  cut(outcome: CallOutcome): void {
    if (this.#over) return
    this.#finish(outcome)
    const { socket } = this.response
    // A response holds what was written until the tick ends; a socket ended sooner would leave without it.
    setImmediate(() => socket?.destroySoon())
  }

  #finish(outcome: CallOutcome): void {
    this.#over = true
    const now = this.#now()
    this.#onEnd(this, {
      at: isoTime(now),
      requestId: this.requestId,
      attempt: attemptOf(this.request),
      model: this.model,
      site: readTarget(this.request.url).site,
      operation: this.operation,
      inputTokens: this.inputTokens,
      outputTokens: this.outputTokens,
      status: this.response.headersSent ? this.response.statusCode : 0,
      finished: outcome,
      sentChunks: this.sentChunks,
      startedAt: this.startedAt,
      endedAt: now,
      user: this.user,
      maxTokens: this.maxTokens,
    })
  }

  #left(): void {
    this.#gone = true
    if (!this.#over) this.#finish('client_left')
    this.#resume(false)
  }

  #resume(here: boolean): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const wake = this.#wake
    this.#wake = null
    wake?.(here)
  }
}

/** A text with as many bytes as characters is ASCII, and ASCII is written several times faster as Latin-1. */
function encodingOf(part: string | Buffer, bytes: number): 'latin1' | 'utf8' {
  return part.length === bytes ? 'latin1' : 'utf8'
}

let lastTime = { at: 0, iso: '' }

/** Many rows share a millisecond, and writing one out costs more than the rest of the row. */
function isoTime(at: number): string {
  if (lastTime.at !== at) lastTime = { at, iso: new Date(at).toISOString() }
  return lastTime.iso
}

function attemptOf(request: IncomingMessage): number {
  const attempt = Number(headerOf(request, 'formulary-attempt') ?? 1)
  return Number.isSafeInteger(attempt) && attempt >= 1 ? attempt : 1
}

/** One host stands in for several: what is called as `/at/<site>/…` is counted as that site's. */
export function readTarget(target = '/'): { site: string | null; path: string } {
  const [, site = null, path = target] = /^\/at\/([a-z0-9-]{1,64})(\/.*)$/u.exec(target) ?? []
  return { site, path }
}

export function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}
