import type { KnobBoard } from './knobs.ts'
import type { ServedCall } from './served-call.ts'
import type { UsageLog } from './usage-log.ts'

/** What one running host knows. Several may run in one process, so nothing of it is global. */
export type HostState = {
  readonly knobs: KnobBoard
  readonly log: UsageLog
  /** The calls in flight now. */
  readonly open: Set<ServedCall>
  readonly counts: { opened: number; served: number; clientLeft: number; bytes: number }
  last: ReceivedRequest | null
  /** Milliseconds since 1970, as usage rows say them. */
  readonly now: () => number
}

/** The last model call as it arrived, before the host made anything of it. */
export type ReceivedRequest = {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/** `open` calls in flight, `opened` ever, `served` to the end, left by their caller, and bytes of answers sent. */
export type HostStats = { open: number; opened: number; served: number; clientLeft: number; bytes: number }

export function statsOf(state: HostState): HostStats {
  return { open: state.open.size, ...state.counts }
}
