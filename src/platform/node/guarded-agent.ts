import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent } from 'undici'
import { fetchMsMax, isAddress, isPublicAddress } from '../../identity/index.ts'

/** The error of a name that leads inside. */
class NotPublic extends Error {
  override readonly name = 'NotPublic'
}

export const isNotPublic = (error: Error): boolean => error instanceof NotPublic || error.cause instanceof NotPublic

/**
 * Connects to addresses that others declare. A name is resolved once, by the connection itself, and every address that it
 * has must be a public one; the connection goes to what was checked, so that a second answer of the name server comes too
 * late. In development this machine is allowed.
 */
export const guardedAgent = ({ isDevelopment }: { isDevelopment: boolean }): Agent =>
  new Agent({
    connections: 8,
    connect: { timeout: fetchMsMax, ...(isDevelopment ? {} : { lookup: publicLookup }) },
    headersTimeout: fetchMsMax,
    bodyTimeout: fetchMsMax,
    maxHeaderSize: 16 * 1024,
    // A connection that is kept was checked when it was opened; names move, and looks are rare.
    keepAliveTimeout: 1,
    keepAliveMaxTimeout: 1,
  })

/** What speaks against an address before anybody connects. */
export function refusalOfAddress(
  url: string,
  { isDevelopment }: { isDevelopment: boolean },
): 'address_not_https' | 'address_not_public' | undefined {
  if (isDevelopment) return undefined
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:') return 'address_not_https'
  return isAddress(hostname) && !isPublicAddress(hostname) ? 'address_not_public' : undefined
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
