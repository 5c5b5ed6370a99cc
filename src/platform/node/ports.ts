import { createHmac, randomFillSync, timingSafeEqual } from 'node:crypto'
import { instant, uuidV7, type Clock, type Hmac, type Random } from '../../kernel/index.ts'

export const nodeClock: Clock = {
  now: () => instant(Date.now()),
  monotonicMs: () => performance.now(),
}

export const nodeHmac: Hmac = {
  sha256: (key, message) => createHmac('sha256', key).update(message).digest(),
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
