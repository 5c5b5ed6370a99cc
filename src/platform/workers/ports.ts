import { createHmac, timingSafeEqual } from 'node:crypto'
import { instant, uuidV7, type Clock, type Hmac, type Random } from '../../kernel/index.ts'

/**
 * Workers have one clock. It stands still while code runs and goes on with each word from outside, so that durations are
 * those of waiting, which is what they are kept for.
 */
export const workersClock: Clock = {
  now: () => instant(Date.now()),
  monotonicMs: () => Date.now(),
}

export const workersRandom: Random = {
  uuid: (atMs) => uuidV7(Math.trunc(atMs), crypto.getRandomValues(new Uint8Array(10))),
  fraction: () => Math.random(),
}

/** node:crypto is synchronous in workerd too, under nodejs_compat; the web's own HMAC would make every gate wait. */
export const workersHmac: Hmac = {
  sha256: (key, message) => createHmac('sha256', key).update(message).digest(),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
}
