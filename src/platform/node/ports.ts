import { createHash, createHmac, hash, randomFillSync, timingSafeEqual } from 'node:crypto'
import { instant, uuidV7, type Clock, type Hmac, type Random, type StartSha256 } from '../../kernel/index.ts'

export const nodeClock: Clock = {
  now: () => instant(Date.now()),
  monotonicMs: () => performance.now(),
}

/**
 * An HMAC costs four times a plain digest, and the same few keys are shown again and again: what a message's HMAC is under
 * a key is remembered under the message's digest. The message itself, a secret, is not kept. Nothing is decided here: who
 * compares the result still looks at the key's state of this moment.
 */
const remembered = new WeakMap<Uint8Array, Map<string, Uint8Array>>()
const rememberedMax = 10_000

function rememberedHmac(key: Uint8Array, message: string): Uint8Array {
  let known = remembered.get(key)
  if (known === undefined) remembered.set(key, (known = new Map()))
  const digest = hash('sha256', message, 'base64')
  const seen = known.get(digest)
  if (seen !== undefined) return seen
  const made = createHmac('sha256', key).update(message).digest()
  // Strangers' keys fill it, too: then it begins anew.
  if (known.size >= rememberedMax) known.clear()
  known.set(digest, made)
  return made
}

export const nodeHmac: Hmac = {
  sha256: rememberedHmac,
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
}

/** Random bytes are drawn in bulk: one system call for many ids. */
const drawn = new Uint8Array(4096)
let used = drawn.length

export const nodeRandom: Random = {
  uuid(atMs) {
    if (used + 10 > drawn.length) {
      randomFillSync(drawn)
      used = 0
    }
    used += 10
    return uuidV7(Math.trunc(atMs), drawn.subarray(used - 10, used))
  },
  fraction: () => Math.random(),
}

export const nodeSha256: StartSha256 = () => {
  const running = createHash('sha256')
  return { update: (text) => void running.update(text, 'utf8'), hex: () => running.digest('hex') }
}
