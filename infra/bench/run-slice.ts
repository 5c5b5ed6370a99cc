import { LoadConnection } from './load-connection.ts'

/** What the load generator is told to do: so many connections in a closed loop, for so long. */
export interface SliceOrder {
  readonly port: number
  readonly streamed: boolean
  /** Whole requests, head and body, sent in turn. */
  readonly requests: readonly Uint8Array[]
  readonly connections: number
  /** Calls that begin before are made and not counted. */
  readonly warmMs: number
  readonly ms: number
}

export interface Slice {
  /** Of each counted call: from its first byte sent to its last byte received. */
  readonly totalMs: Float32Array
  /** Of each counted call: to the first byte of the body. */
  readonly firstByteMs: Float32Array
  readonly callsPerSecond: number
  /** Every call that was answered whole with 200, counted or not: what a ledger must hold. */
  readonly answered: number
  readonly refused: number
  /** The first refusal, for whoever must find out why. */
  readonly refusal: string | undefined
  /** How much of one core the generator itself took, from 0 to 1: near 1 it is what is measured. */
  readonly clientBusy: number
}

/** A slice that has not ended so long after its time never will. */
const lateMs = 30_000

/** @throws Error when a connection breaks or an answer does not come. */
export async function runSlice(order: SliceOrder): Promise<Slice> {
  const total: number[] = []
  const firstByte: number[] = []
  let answered = 0
  let refused = 0
  let refusal: string | undefined
  let sent = 0
  let open = order.connections
  let callsInWindow = 0
  let countFrom = 0
  let until = 0

  let finish!: () => void
  let fail!: (error: Error) => void
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const noteClosed = () => {
    open--
    if (open === 0) finish()
  }

  const makeConnection = () => {
    let isCounted = false
    return new LoadConnection({
      port: order.port,
      streamed: order.streamed,
      nextRequest: () => order.requests[sent++ % order.requests.length] ?? new Uint8Array(),
      onCall({ begunAt, firstByteAt, endedAt }) {
        answered++
        callsInWindow += partWithin({ begunAt, endedAt }, { begunAt: countFrom, endedAt: until })
        if (begunAt >= countFrom) {
          isCounted = true
          total.push(endedAt - begunAt)
          firstByte.push(firstByteAt - begunAt)
        }
        // A slice shorter than a call still counts one.
        if (endedAt < until || !isCounted) return true
        noteClosed()
        return false
      },
      onRefused(_status, text) {
        refused++
        refusal ??= text
        if (performance.now() < until) return true
        noteClosed()
        return false
      },
      onBroken: fail,
    })
  }

  const connections = Array.from({ length: order.connections }, makeConnection)
  const late = setTimeout(
    () => fail(new Error(`${open} of ${order.connections} connections got no answer`)),
    order.warmMs + order.ms + lateMs,
  )
  try {
    await Promise.all(connections.map((connection) => connection.open()))
    const began = performance.now()
    const cpu = process.cpuUsage()
    countFrom = began + order.warmMs
    until = countFrom + order.ms
    for (const connection of connections) connection.send()
    await ended
    const { user, system } = process.cpuUsage(cpu)
    const clientBusy = (user + system) / 1000 / (performance.now() - began)
    return {
      totalMs: Float32Array.from(total),
      firstByteMs: Float32Array.from(firstByte),
      callsPerSecond: (callsInWindow * 1000) / order.ms,
      answered,
      refused,
      refusal,
      clientBusy,
    }
  } finally {
    clearTimeout(late)
    for (const connection of connections) connection.close()
  }
}

interface Span {
  readonly begunAt: number
  readonly endedAt: number
}

/** A call that lies across an edge of the window counts by its part within: long calls make the rate neither jump nor lean. */
function partWithin(call: Span, window: Span): number {
  const within = Math.min(call.endedAt, window.endedAt) - Math.max(call.begunAt, window.begunAt)
  return Math.max(0, within) / (call.endedAt - call.begunAt)
}
