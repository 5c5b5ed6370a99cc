import type { ServedCall } from './served-call.ts'
import type { CallOutcome } from './usage-log.ts'

/** Writes server-sent events as the knobs shape them. Every method says whether the caller is still there. */
export type EventWriter = {
  event(data: string): true | Promise<boolean>
  /** Sends what is held back for whole pieces of `splitBytes`. */
  flush(): Promise<boolean>
  /** Sends a last event, if there is one, and ends the response. */
  end(data: string | null, outcome: CallOutcome): Promise<void>
}

export function openEventWriter(call: ServedCall): EventWriter {
  const { crlf, comments, splitBytes } = call.knobs
  const eol = crlf ? '\r\n' : '\n'
  const border = comments ? `${eol}${eol}: keep-alive${eol}${eol}` : `${eol}${eol}`
  const framed = (data: string) => `data: ${data}${border}`
  if (splitBytes !== null) return splitWriter(call, framed, splitBytes)

  return {
    event(data) {
      return call.write(framed(data)) && !call.gone ? true : call.drained()
    },
    flush: () => Promise.resolve(!call.gone),
    end(data, outcome) {
      call.end(data === null ? '' : framed(data), outcome)
      return Promise.resolve()
    },
  }
}

/**
 * Cuts the byte stream, not each event: what is left of one event waits for the next, so that cuts wander through
 * characters and line ends. Each piece leaves in a turn of its own.
 */
function splitWriter(call: ServedCall, framed: (data: string) => string, splitBytes: number): EventWriter {
  let held = Buffer.alloc(0)

  /** Sends whole pieces until no more than `keep` bytes are held. */
  async function push(bytes: Buffer, keep: number): Promise<boolean> {
    held = Buffer.concat([held, bytes])
    while (held.length > keep) {
      const flowing = call.write(held.subarray(0, splitBytes))
      held = held.subarray(splitBytes)
      if (!(flowing ? await call.turn() : await call.drained())) return false
    }
    return !call.gone
  }

  // One piece is always kept for `end`, which writes the usage row before it leaves.
  return {
    event: (data) => push(Buffer.from(framed(data)), splitBytes),
    flush: () => push(Buffer.alloc(0), 0),
    async end(data, outcome) {
      const last = data === null ? Buffer.alloc(0) : Buffer.from(framed(data))
      if (await push(last, splitBytes)) call.end(held, outcome)
    },
  }
}
