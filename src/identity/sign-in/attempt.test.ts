import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instant, type Hmac } from '../../kernel/index.ts'
import { attemptSeconds, beginAttempt, openAttempt, sealAttempt, secretsOf } from './attempt.ts'

const hmac: Hmac = {
  sha256: (key, message) => new Uint8Array(createHmac('sha256', key).update(message).digest()),
  equal: (a, b) => Buffer.from(a).equals(Buffer.from(b)),
}
const key = new Uint8Array(32).fill(1)
const now = instant(1_800_000_000_000)
const attempt = beginAttempt({ tenant: 'lakeside', to: '/?month=2026-11', random: new Uint8Array(32).fill(2), now })
const cookie = sealAttempt(hmac, key, attempt)

test('an attempt comes back as it left, for ten minutes', () => {
  const last = instant(now + attemptSeconds * 1000 - 1)
  expect(openAttempt(hmac, key, cookie, last)).toEqual(attempt)
  expect(openAttempt(hmac, key, cookie, instant(last + 1))).toBeUndefined()
})

test('of which one character was changed, or that another key sealed, is none', () => {
  for (let place = 0; place < cookie.length; place++) {
    const other = cookie[place] === '1' ? '2' : '1'
    expect(openAttempt(hmac, key, cookie.slice(0, place) + other + cookie.slice(place + 1), now)).toBeUndefined()
  }
  expect(openAttempt(hmac, new Uint8Array(32).fill(3), cookie, now)).toBeUndefined()
  fc.assert(fc.property(fc.string(), (text) => openAttempt(hmac, key, text, now) === undefined))
})

test('its secrets differ from each other, and are nobody’s who knows its random number only', () => {
  const { state, nonce, verifier } = secretsOf(hmac, key, attempt)
  expect(new Set([state, nonce, verifier, attempt.random]).size).toBe(4)
  for (const secret of [state, nonce, verifier]) {
    // RFC 7636, section 4.1: 43 characters at least.
    expect(secret).toMatch(/^[\w-]{43}$/)
    expect(cookie).not.toContain(secret)
  }
  expect(secretsOf(hmac, new Uint8Array(32).fill(3), attempt).state).not.toBe(state)
})
