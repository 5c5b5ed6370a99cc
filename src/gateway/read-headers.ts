import type { Context } from 'hono'
import type { Asking, Gateway } from './gateway.ts'
import type { Transport } from './transport.ts'

/**
 * What of the caller's headers is read; every other `formulary-*` or `x-tenant*` header is nobody's. A header only
 * narrows what the application has, so that a wrong one refuses and never widens.
 */
export function askingOf(gateway: Gateway, transport: Transport, c: Context): Asking {
  return {
    requestId: gateway.newRequestId(),
    now: gateway.clock.now(),
    startedMs: gateway.monotonicMs(),
    authorization: transport.header(c, 'authorization'),
    proof: transport.header(c, 'dpop'),
    certificate: transport.certificate(c),
    address: transport.address(c),
    method: c.req.method,
    path: pathIn(c.req.url),
    facility: transport.header(c, 'formulary-facility'),
    purpose: transport.header(c, 'formulary-purpose-of-use'),
    traceparent: traceparentOf(transport.header(c, 'traceparent')),
    tracestate: tracestateOf(transport.header(c, 'tracestate')),
  }
}

/** As it was sent: a proof is made for this text. */
const pathIn = (url: string): string => /^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? ''

/** W3C Trace Context, section 3.2: version 00; anything else is dropped, as the recommendation says. */
const traceparentOf = (text: string | undefined): string | undefined =>
  text !== undefined && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(text) ? text : undefined

const tracestateOf = (text: string | undefined): string | undefined =>
  text !== undefined && text.length <= 512 && /^[\x20-\x7e]*$/.test(text) ? text : undefined
