import { assert } from '../kernel/index.ts'
import { Sensitive } from '../privacy/index.ts'

/**
 * `<prefix><id>_<secret><checksum>`: 12, 43 and 6 characters of base 62. The id is public and finds the row; the secret
 * has 256 bits; the checksum (CRC-32 of all before it) refuses a typo without a look-up. No character breaks a
 * double-click selection.
 */
export interface MintedSecret {
  readonly id: string
  /** The whole text, as shown once. */
  readonly text: Sensitive<string>
}

const grammar = /^([0-9A-Za-z]{12})_[0-9A-Za-z]{49}$/
const checksumLength = 6

/** Reads one; undefined when it is none, or mistyped. Never touches a store. */
export function parseSecret(prefix: string, text: string): MintedSecret | undefined {
  if (!text.startsWith(prefix)) return undefined
  const match = grammar.exec(text.slice(prefix.length))
  if (match?.[1] === undefined) return undefined
  const body = text.slice(0, -checksumLength)
  if (checksum(body) !== text.slice(-checksumLength)) return undefined
  return { id: match[1], text: new Sensitive(text) }
}

/** Makes one from at least 42 random bytes. */
export function mintSecret(prefix: string, random: Uint8Array): MintedSecret {
  assert(random.length >= 42, 'a secret needs 42 random bytes')
  const id = base62(random.subarray(0, 10), 14).slice(-12)
  const body = `${prefix}${id}_${base62(random.subarray(10, 42), 43)}`
  return { id, text: new Sensitive(body + checksum(body)) }
}

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function base62(bytes: Uint8Array, length: number): string {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return base62Of(value, length)
}

function base62Of(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = (digits[Number(rest % 62n)] ?? '0') + text
  return text
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc >>> 0
})

/** CRC-32 (ISO 3309) of ASCII text in six characters of base 62. It catches typing errors; it is no signature. */
function checksum(text: string): string {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) crc = (crcTable[(crc ^ text.charCodeAt(i)) & 0xff] ?? 0) ^ (crc >>> 8)
  let rest = (crc ^ 0xffffffff) >>> 0
  let out = ''
  for (let i = 0; i < checksumLength; i++, rest = Math.floor(rest / 62)) out = (digits[rest % 62] ?? '0') + out
  return out
}
