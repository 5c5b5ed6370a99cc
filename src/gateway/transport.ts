import type { Context } from 'hono'
import { err, ok, type Result } from '../kernel/index.ts'
import { Sensitive } from '../privacy/index.ts'
import { CallerLeft, type RelayBody } from '../routing/index.ts'
import type { Answer } from './answer.ts'
import type { RequestRefusal } from './read-request.ts'

/** How bytes come in and go out, which differs between a Node socket and the Request and Response of the platform. */
export interface Transport {
  header(c: Context, name: string): string | undefined
  /** The body as text; refused when it is longer than allowed or not UTF-8. */
  body(c: Context, bytesMax: number): Promise<Result<Sensitive<string>, RequestRefusal>>
  /**
   * Thumbprint (`x5t#S256`) of the certificate that the caller has proved to hold by TLS, here or at a proxy that is trusted.
   * A header alone is nobody's certificate.
   */
  certificate(c: Context): string | undefined
  /** Where the caller is; undefined when that is not known. */
  address(c: Context): string | undefined
  callerLeft(c: Context): CallerLeft
  send(c: Context, answer: Answer, left: CallerLeft): Response | Promise<Response>
}

/** By the web platform's own means: Workers, and tests without a socket. */
export const webTransport: Transport = {
  header: (c, name) => c.req.raw.headers.get(name) ?? undefined,

  async body(c, bytesMax) {
    const declared = Number(c.req.raw.headers.get('content-length') ?? 0)
    if (declared > bytesMax) return err({ reason: 'request_too_large', bytesMax })
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of c.req.raw.body ?? []) {
      length += part.length
      if (length > bytesMax) return err({ reason: 'request_too_large', bytesMax })
      parts.push(part)
    }
    return textOf(parts, length)
  },

  certificate: () => undefined,
  address: () => undefined,

  callerLeft(c) {
    const left = new CallerLeft()
    c.req.raw.signal.addEventListener('abort', () => left.leave(), { once: true })
    return left
  },

  send(_c, { status, headers, body }, left) {
    return new Response(isRelay(body) ? streamOf(body, left) : asBodyInit(body), { status, headers })
  },
}

/** Decodes a body; bytes that are not UTF-8 are refused, never replaced, because they would reach the host changed. */
export function textOf(parts: readonly Uint8Array[], length: number): Result<Sensitive<string>, RequestRefusal> {
  try {
    return ok(new Sensitive(decodeAll(parts, length)))
  } catch {
    return err({ reason: 'request_malformed', message: 'The body is not valid UTF-8.', param: undefined })
  }
}

function decodeAll(parts: readonly Uint8Array[], length: number): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return decoder.decode(only)
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return decoder.decode(whole)
}

export const isRelay = (body: Answer['body']): body is RelayBody =>
  typeof body === 'object' && 'next' in body && typeof body.next === 'function'

/** A view of a shared buffer cannot be a body; ours never is one, and the copy says so to the compiler. */
const asBodyInit = (body: string | Uint8Array): string | Uint8Array<ArrayBuffer> =>
  typeof body === 'string' ? body : new Uint8Array(body)

function streamOf(body: RelayBody, left: CallerLeft): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const part = await body.next()
        if (part === undefined) controller.close()
        else controller.enqueue(part)
      },
      cancel() {
        left.leave()
      },
    },
    // Nothing is read ahead: what the caller has not asked for is not taken from the host.
    { highWaterMark: 0 },
  )
}
