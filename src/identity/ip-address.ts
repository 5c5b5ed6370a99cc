/** An IPv4 address as a number; undefined for what is none. */
export function ipv4Of(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const parts = match.slice(1).map(Number)
  return parts.some((part) => part > 255) ? undefined : parts.reduce((sum, part) => sum * 256 + part, 0)
}

/** Eight groups; undefined for what is no IPv6 address. A dotted end counts as two groups; a zone is not accepted. */
export function ipv6Of(text: string): readonly number[] | undefined {
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  const dotted = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(bare)
  const tail = dotted?.[2] === undefined ? undefined : ipv4Of(dotted[2])
  if (dotted !== null && tail === undefined) return undefined
  const plain =
    tail === undefined ? bare : `${dotted?.[1] ?? ''}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`
  const halves = plain.split('::')
  if (!plain.includes(':') || halves.length > 2) return undefined
  const [head = [], rest] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const given = [...head, ...(rest ?? [])]
  if (!given.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  if (rest === undefined ? given.length !== 8 : given.length > 7) return undefined
  const zeros = Array.from({ length: 8 - given.length }, () => '0')
  return [...head, ...(rest === undefined ? [] : zeros), ...(rest ?? [])].map((group) => Number.parseInt(group, 16))
}

/**
 * The part of an address that one party has: an IPv4 address, or the /64 of an IPv6 one, whose other half is anybody's to
 * choose. An IPv4 address that is written as an IPv6 one (RFC 4291, section 2.5.5.2) is the IPv4 one.
 */
export function networkOf(address: string): string {
  const groups = ipv6Of(address)
  if (groups === undefined) return address
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, high = 0, low = 0] = groups
  const isMapped = [a, b, c, d, e].every((group) => group === 0) && f === 0xffff
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  return `${[a, b, c, d].map((group) => group.toString(16)).join(':')}::/64`
}
