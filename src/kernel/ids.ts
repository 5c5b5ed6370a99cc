/** UUIDs, lower case, with hyphens. */
export type Uuid = string

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then randomness, so that rows arrive in key order.
 * `random` holds at least ten fresh random bytes.
 */
export function uuidV7(atMs: number, random: Uint8Array): Uuid {
  const at = atMs.toString(16).padStart(12, '0')
  const byte = (index: number) => hex[random[index] ?? 0] ?? '00'
  const version = hex[0x70 | ((random[0] ?? 0) & 0x0f)] ?? '70'
  const variant = hex[0x80 | ((random[2] ?? 0) & 0x3f)] ?? '80'
  return `${at.slice(0, 8)}-${at.slice(8)}-${version}${byte(1)}-${variant}${byte(3)}-${byte(4)}${byte(5)}${byte(6)}${byte(7)}${byte(8)}${byte(9)}`
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
export const isUuid = (text: string): text is Uuid => uuidPattern.test(text)

/** The form of a request id that callers and model hosts see: `req_` and the UUID without hyphens. */
export const requestName = (id: Uuid): string =>
  `req_${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(14, 18)}${id.slice(19, 23)}${id.slice(24)}`
