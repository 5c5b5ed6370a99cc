import { Failure } from '../kernel/index.ts'
import type { Answered } from './call-deployments.ts'
import { SseReader } from './sse-reader.ts'
import type { Delivered, ReportedUsage } from './usage.ts'

export type StreamOutcome = 'answered' | 'client_left' | 'cut' | 'host_error' | 'host_timeout' | 'host_closed'
/** How a host can end a stream that is not whole. */
export type BrokenOff = 'host_error' | 'host_timeout' | 'host_closed'

export interface StreamEnd {
  readonly outcome: StreamOutcome
  readonly reported: ReportedUsage | undefined
  readonly delivered: Delivered
}

/** A body on its way to the caller. Pulled: a caller who does not read holds the model host back. */
export interface RelayBody {
  /** The next bytes; undefined at the end. @throws Failure when the ledger could not be written: cut the connection. */
  next(): Promise<Uint8Array | undefined>
  /** The caller has gone. */
  leave(): void
  /** What was permitted is permitted no longer: `words` are the last that leaves, and the host is not read any further. */
  cut(words: Uint8Array): void
}

/**
 * Passes a stream on and calls `settle` exactly once, however it ends. The last bytes, `[DONE]` or the error event,
 * leave only after `settle` has resolved.
 */
export function relayStream(
  answered: Answered,
  options: {
    readonly keepUsageChunk: boolean
    /** Choices that must have finished for a stream without `[DONE]` to count as whole. */
    readonly choices: number
    readonly idleMs: number
    monotonicMs(): number
    settle(end: StreamEnd): Promise<void>
    /** The error event, in our words, for a stream that the host broke off. */
    errorEvent(outcome: BrokenOff): Uint8Array
  },
): RelayBody {
  const reader = new SseReader({ keepUsageChunk: options.keepUsageChunk })
  const ready: Uint8Array[] = []
  let settled: Promise<void> | undefined
  let last: Uint8Array | undefined
  let state: 'open' | 'ending' | 'ended' = 'open'

  const finish = (outcome: StreamOutcome, words?: Uint8Array): void => {
    if (settled !== undefined) return
    state = 'ending'
    watch.stop()
    if (outcome !== 'answered') answered.call.cancel()
    last = lastWords(outcome, words)
    settled = options.settle({ outcome, reported: reader.reported, delivered: reader.delivered })
    // Whoever waits for it sees its failure; when the caller has left nobody does.
    settled.catch(() => {})
    // After [DONE] the connection is let go; a clean host has nothing more to say.
    if (outcome === 'answered') void drain(answered)
  }

  const lastWords = (outcome: StreamOutcome, words: Uint8Array | undefined): Uint8Array | undefined => {
    if (outcome === 'answered') return reader.tail
    return outcome === 'client_left' || outcome === 'cut' ? words : options.errorEvent(outcome)
  }

  const watch = idleWatch(
    options.idleMs,
    () => options.monotonicMs(),
    () => {
      answered.call.cancel()
      finish('host_timeout')
    },
  )

  const take = (leaving: readonly Uint8Array[]): void => {
    for (const part of leaving) ready.push(part)
    if (reader.done) finish('answered')
    else if (reader.hostError || reader.overflowed) finish('host_error')
  }

  const whole = () => reader.finishedChoices >= options.choices
  let first = answered.first

  async function pull(): Promise<void> {
    if (first !== undefined) {
      const begin = first
      first = undefined
      take(reader.feed(begin))
      return
    }
    watch.wait()
    try {
      const chunk = answered.first === undefined ? undefined : await answered.answer.read()
      if (state !== 'open') return
      if (chunk !== undefined) return take(reader.feed(chunk))
      take(reader.end())
      if (state === 'open') finish(whole() ? 'answered' : 'host_closed')
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // Broken off, not ended: what would have followed, the usage perhaps, is lost.
      if (state === 'open') finish('host_closed')
    } finally {
      watch.pause()
    }
  }

  return {
    async next() {
      for (;;) {
        const part = ready.shift()
        if (part !== undefined) return ready.length === 0 ? part : joined(part, ready.splice(0))
        if (state === 'ended') return undefined
        if (state === 'ending') {
          await settled
          state = 'ended'
          return last
        }
        await pull()
      }
    },
    leave() {
      finish('client_left')
    },
    cut(words) {
      finish('cut', words)
    },
  }
}

function joined(first: Uint8Array, rest: readonly Uint8Array[]): Uint8Array {
  let length = first.length
  for (const part of rest) length += part.length
  const whole = new Uint8Array(length)
  whole.set(first)
  let at = first.length
  for (const part of rest) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A host may take this long to end its answer after `[DONE]`; then its connection is closed. */
const drainMs = 2_000

/** Reads what little a host may send after `[DONE]`, so that its connection can serve another call. */
async function drain(answered: Answered): Promise<void> {
  const timer = setTimeout(() => answered.call.cancel(), drainMs)
  try {
    for (let bytes = 0; bytes < 65_536;) {
      const chunk = await answered.answer.read()
      if (chunk === undefined) return
      bytes += chunk.length
    }
  } catch {
    // The host closed: nothing was left to read.
  } finally {
    clearTimeout(timer)
  }
  answered.call.cancel()
}

/** One timer for a whole stream: it looks, when it fires, whether the wait has really been that long. */
function idleWatch(idleMs: number, monotonicMs: () => number, onIdle: () => void) {
  let waitingSince: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = () => {
    const waitedMs = waitingSince === undefined ? 0 : monotonicMs() - waitingSince
    if (waitedMs >= idleMs) onIdle()
    else timer = setTimeout(look, idleMs - waitedMs)
  }
  return {
    wait() {
      waitingSince = monotonicMs()
      timer ??= setTimeout(look, idleMs)
    },
    pause() {
      waitingSince = undefined
    },
    stop() {
      clearTimeout(timer)
    },
  }
}
