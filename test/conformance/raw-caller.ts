import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'

export interface RawCall {
  /** Resolves with the head of the answer. */
  readonly head: Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders }>
  /** How the body came to its end: by the rules of HTTP, or broken off. */
  readonly ended: Promise<'closed' | 'cut'>
  /** The body's bytes so far, as they came. */
  received(): Buffer
  /** Takes nothing more from the socket until `resume`. */
  pause(): void
  resume(): void
  /** Closes the connection. */
  leave(): void
}

export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly end: 'closed' | 'cut'
}

export interface RawWish {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Counts the bytes of the body and keeps none of them. */
  readonly onPart?: (part: Buffer) => void
}

/** A caller without an SDK between itself and the bytes. */
export function openRaw(wish: RawWish): RawCall {
  const parts: Buffer[] = []
  let incoming: IncomingMessage | undefined
  let paused = false
  const outgoing = request(wish.url, {
    method: wish.method ?? 'POST',
    headers: { 'content-type': 'application/json', ...wish.headers },
    agent: false,
  })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
  })
  const ended = answer.then(
    (message) =>
      new Promise<'closed' | 'cut'>((resolve) => {
        incoming = message
        // A body that breaks off says so twice, as an error and as a close.
        message.on('error', () => {})
        message.once('close', () => resolve(message.complete ? 'closed' : 'cut'))
        message.on('data', wish.onPart ?? ((part: Buffer) => parts.push(part)))
        if (paused) message.pause()
      }),
  )
  const head = answer.then(({ statusCode = 0, headers }) => ({ status: statusCode, headers }))
  // Who has left does not look at either.
  head.catch(() => {})
  ended.catch(() => {})
  outgoing.end(wish.body)
  return {
    head,
    ended,
    received: () => Buffer.concat(parts),
    pause() {
      paused = true
      incoming?.pause()
    },
    resume() {
      paused = false
      incoming?.resume()
    },
    leave() {
      outgoing.destroy()
    },
  }
}

/** The same to its end. @throws when no answer came. */
export async function callRaw(wish: RawWish): Promise<RawAnswer> {
  const call = openRaw(wish)
  const { status, headers } = await call.head
  const end = await call.ended
  return { status, headers, body: call.received(), end }
}
