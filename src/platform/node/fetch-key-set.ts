import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import {
  fetchMsMax,
  isAddress,
  isPublicAddress,
  keySetBytesMax,
  type FetchedKeySet,
  type FetchKeySet,
  type FetchRefusal,
} from '../../identity/index.ts'
import { err, ok, type Result } from '../../kernel/index.ts'

/** The error of a name that leads inside. */
class NotPublic extends Error {
  override readonly name = 'NotPublic'
}

/**
 * Fetches clients' key sets. A name is resolved once, by the connection itself, and every address that it has must be a public
 * one; the connection goes to what was checked, so that a second answer of the name server comes too late. In development
 * plain http and this machine are allowed.
 */
export function guardedFetch(options: { isDevelopment: boolean }): {
  fetchKeySet: FetchKeySet
  close(): Promise<void>
} {
  const { isDevelopment } = options
  const agent = new Agent({
    connections: 8,
    connect: { timeout: fetchMsMax, ...(isDevelopment ? {} : { lookup: publicLookup }) },
    headersTimeout: fetchMsMax,
    bodyTimeout: fetchMsMax,
    maxHeaderSize: 16 * 1024,
    // A connection that is kept was checked when it was opened; names move, and looks are rare.
    keepAliveTimeout: 1,
    keepAliveMaxTimeout: 1,
  })
  return {
    async fetchKeySet(url) {
      const { protocol, hostname } = new URL(url)
      if (protocol !== 'https:' && !isDevelopment) return err('address_not_https')
      if (!isDevelopment && isAddress(hostname) && !isPublicAddress(hostname)) return err('address_not_public')
      try {
        return await get(agent, url)
      } catch (error) {
        return err(reasonOf(error))
      }
    },
    close: () => agent.destroy(),
  }
}

const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const [first] = addresses
    if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address)))
      return callback(new NotPublic(`${hostname} does not lead to the internet`), '', 0)
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family)
  })
}

async function get(agent: Agent, url: string): Promise<Result<FetchedKeySet, FetchRefusal>> {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    headers: { accept: 'application/json, application/jwk-set+json' },
    signal: AbortSignal.timeout(fetchMsMax),
  })
  if (statusCode >= 300 && statusCode < 400) return refused(body, 'redirected')
  if (statusCode !== 200) return refused(body, 'status_not_ok')
  if (Number(headers['content-length'] ?? 0) > keySetBytesMax) return refused(body, 'too_large')
  const parts: Buffer[] = []
  let length = 0
  for await (const part of body) {
    if (!Buffer.isBuffer(part)) continue
    length += part.length
    if (length > keySetBytesMax) return refused(body, 'too_large')
    parts.push(part)
  }
  const control = headers['cache-control']
  return ok({
    text: Buffer.concat(parts).toString('utf8'),
    cacheControl: Array.isArray(control) ? control.join(', ') : control,
  })
}

/** What is not read is not waited for. */
function refused(body: { destroy(): unknown; on(event: 'error', ignore: () => void): unknown }, why: FetchRefusal) {
  body.on('error', () => {})
  body.destroy()
  return err(why)
}

function reasonOf(error: unknown): FetchRefusal {
  if (!(error instanceof Error)) return 'unreachable'
  if (error instanceof NotPublic || error.cause instanceof NotPublic) return 'address_not_public'
  return /Timeout/i.test(error.name) ? 'too_slow' : 'unreachable'
}
