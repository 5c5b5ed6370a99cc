import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mintApiKey, parseApiKey } from './api-key.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const minted = fc.uint8Array({ minLength: 42, maxLength: 64 }).map((random) => mintApiKey(random))

test('a minted key has the form that is promised, and is read again with its id', () => {
  fc.assert(
    fc.property(minted, (key) => {
      const text = key.text.reveal()
      expect(text).toMatch(/^fml_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/)
      expect(parseApiKey(text)?.keyId).toBe(key.keyId)
      expect(parseApiKey(text)?.text.reveal()).toBe(text)
    }),
    { seed: 1, numRuns: 1_000 },
  )
})

test('every change of one character is refused by the checksum, without a look-up', () => {
  fc.assert(
    fc.property(minted, (key) => {
      const text = key.text.reveal()
      for (let at = 0; at < text.length; at++)
        for (const other of `${alphabet}_- \né`.split(''))
          if (other !== text[at] && parseApiKey(text.slice(0, at) + other + text.slice(at + 1)) !== undefined)
            throw new Error(`accepted with another character at ${at}`)
    }),
    { seed: 1, numRuns: 20 },
  )
})

test('two neighbours that change places are refused: the other common slip of a typist', () => {
  fc.assert(
    fc.property(minted, (key) => {
      const text = key.text.reveal()
      for (let at = 0; at + 1 < text.length; at++) {
        const swapped = text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2)
        if (swapped !== text) expect(parseApiKey(swapped)).toBeUndefined()
      }
    }),
    { seed: 1, numRuns: 100 },
  )
})

test('minted keys are unique, and so are their ids', () => {
  const keys = Array.from({ length: 20_000 }, () => mintApiKey(new Uint8Array(randomBytes(42))))
  expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(keys.length)
  expect(new Set(keys.map(({ text }) => text.reveal())).size).toBe(keys.length)
})

test('every random byte counts: two keys differ when one bit of their randomness does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 42, maxLength: 42 }), fc.nat(42 * 8 - 1), (random, bit) => {
      const other = Uint8Array.from(random, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      expect(mintApiKey(other).text.reveal()).not.toBe(mintApiKey(random).text.reveal())
    }),
    { seed: 1, numRuns: 2_000 },
  )
})

test('too little randomness is a bug, not a weak key', () => {
  expect(() => mintApiKey(new Uint8Array(41))).toThrow('42 random bytes')
})

const good = mintApiKey(new Uint8Array(42).fill(1)).text.reveal()
test.each([
  '',
  'fml_live_',
  good.slice(0, -1),
  `${good}0`,
  ` ${good}`,
  `${good}\n`,
  good.toUpperCase(),
  good.replace('live', 'test'),
  `${good}${good}`,
  good.replace(/_(?=[^_]*$)/, ''),
  `${good}' or '1'='1`,
  `fml_live_${"' or 1=1;--".padEnd(12, '0')}_${'0'.repeat(49)}`,
  `fml_live_${'٣'.repeat(12)}_${'0'.repeat(49)}`,
])('%j is no key', (text) => {
  expect(parseApiKey(text)).toBeUndefined()
})

test('any other text is no key, however long', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200, unit: 'binary' }), (text) => {
      expect(parseApiKey(text)).toBeUndefined()
      expect(parseApiKey(`fml_live_${text}`)).toBeUndefined()
    }),
    { seed: 1, numRuns: 2_000 },
  )
  expect(parseApiKey('fml_live_'.repeat(1_000_000))).toBeUndefined()
})

test('a key does not print', () => {
  const key = mintApiKey(new Uint8Array(42).fill(1))
  expect(JSON.stringify(key)).not.toContain(good)
  expect(key.text.toString()).toBe('[sensitive]')
})
