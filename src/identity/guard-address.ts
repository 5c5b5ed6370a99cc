import { ipv4Of, ipv6Of } from './ip-address.ts'

/**
 * Addresses that no key set is fetched from: this machine, its neighbors, and what leads there. A client's declaration is
 * reviewed, and yet the host it names may one day answer with an address inside our network.
 */
export function isPublicAddress(address: string): boolean {
  const four = ipv4Of(address)
  if (four !== undefined) return isPublicIpv4(four)
  const six = ipv6Of(address)
  return six !== undefined && isPublicIpv6(six)
}

/** Whether the host of a URL is an address and not a name. */
export const isAddress = (host: string): boolean => ipv4Of(host) !== undefined || ipv6Of(host) !== undefined

/** IANA's registry of special-purpose addresses (RFC 6890), multicast (RFC 5771) and what is reserved. */
const closedIpv4: readonly (readonly [first: number, bits: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0586300, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 4],
  [0xf0000000, 4],
]

const isPublicIpv4 = (address: number): boolean =>
  !closedIpv4.some(([first, bits]) => address >>> (32 - bits) === first >>> (32 - bits))

/** Of IPv6 only what is given out for use on the internet (2000::/3), without what carries another address in it. */
function isPublicIpv6(groups: readonly number[]): boolean {
  const [first = 0, second = 0] = groups
  if (first < 0x2000 || first > 0x3fff) return false
  const isTeredoOrSpecial = first === 0x2001 && second < 0x0200
  const isDocumentation = (first === 0x2001 && second === 0x0db8) || (first === 0x3fff && second < 0x1000)
  const isSixToFour = first === 0x2002
  return !isTeredoOrSpecial && !isDocumentation && !isSixToFour
}
