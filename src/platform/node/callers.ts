import { createHash, X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Who is at the other end of a connection: by the connection itself, or by the word of a proxy that is trusted. */
export interface Callers {
  /** Thumbprint (`x5t#S256`) of the certificate whose key the caller has proved to hold. */
  certificateOf(incoming: IncomingMessage): string | undefined
  addressOf(incoming: IncomingMessage): string | undefined
}

export interface Proxies {
  /** Addresses and networks (`10.0.0.0/8`) whose headers are believed. */
  readonly trusted: readonly string[]
  /** The header in which they hand on the certificate that they saw (RFC 9440, section 2.2); absent: none is read. */
  readonly certificateHeader: string | undefined
}

const certificateCharactersMax = 16_384

/**
 * A header that says who somebody is counts only from a trusted proxy, which must remove it from what it is sent itself. A
 * trusted proxy's own certificate is nobody's but the proxy's.
 */
export function callersBehind({ trusted, certificateHeader }: Proxies): Callers {
  const proxies = blockListOf(trusted)
  const isProxy = (address: string | undefined) =>
    address !== undefined && isIP(address) !== 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  const header = certificateHeader?.toLowerCase()
  return {
    certificateOf({ socket, headers }) {
      if (!isProxy(socket.remoteAddress)) return certificateOf(socket)
      return header === undefined ? undefined : certificateIn(headers[header])
    },
    addressOf({ socket, headers }) {
      if (!isProxy(socket.remoteAddress)) return socket.remoteAddress
      const said = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
      const hops = said.map((hop) => hop.trim()).filter((hop) => isIP(hop) !== 0)
      return hops.findLast((hop) => !isProxy(hop)) ?? socket.remoteAddress
    },
  }
}

/** Whether a text is an address or a network, as TRUSTED_PROXIES names them. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32))
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

/** A connection has one certificate for as long as it lasts. */
const known = new WeakMap<Socket, string | undefined>()

/** The handshake has proved that the caller holds its key; whoever issued it is not asked (RFC 8705, section 2.2). */
function certificateOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  if (known.has(socket)) return known.get(socket)
  const certificate = socket.getPeerX509Certificate()
  const thumbprint = certificate === undefined ? undefined : thumbprintOf(certificate.raw)
  known.set(socket, thumbprint)
  return thumbprint
}

/** A byte sequence of RFC 8941: `:` base64 of the DER `:`. Two headers are one with a comma, and so none. */
function certificateIn(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header.length > certificateCharactersMax) return undefined
  const [, base64] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(header.trim()) ?? []
  if (base64 === undefined) return undefined
  try {
    return thumbprintOf(new X509Certificate(Buffer.from(base64, 'base64')).raw)
  } catch {
    return undefined
  }
}

const thumbprintOf = (der: Buffer): string => createHash('sha256').update(der).digest('base64url')
