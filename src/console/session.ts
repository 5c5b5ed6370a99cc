import type { Hmac, Instant } from '../kernel/index.ts'

/** A working day. */
export const sessionSeconds = 8 * 3600

/** What signs sessions: derived from the owner token, so that a new token ends every session. */
export const sessionKey = (hmac: Hmac, ownerToken: string): Uint8Array =>
  hmac.sha256(new TextEncoder().encode(ownerToken), 'formulary console session')

/** Whether a text is the owner token, in a time that does not tell how much of it is right. */
export const isOwnerToken = (hmac: Hmac, key: Uint8Array, shown: string, ownerToken: string): boolean =>
  hmac.equal(hmac.sha256(key, shown), hmac.sha256(key, ownerToken))

/** `<end, in seconds>.<HMAC-SHA-256 in hexadecimal>`: the session is in the cookie, and nothing of it is kept here. */
export function signSession(hmac: Hmac, key: Uint8Array, now: Instant): string {
  const end = String(Math.floor(now / 1000) + sessionSeconds)
  return `${end}.${hex(hmac.sha256(key, end))}`
}

export function isSession(hmac: Hmac, key: Uint8Array, cookie: string | undefined, now: Instant): boolean {
  const [, end, signature] = /^(\d{1,12})\.([0-9a-f]{64})$/.exec(cookie ?? '') ?? []
  if (end === undefined || signature === undefined) return false
  return hmac.equal(bytesOf(signature), hmac.sha256(key, end)) && now < Number(end) * 1000
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
