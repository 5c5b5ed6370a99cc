import { connect, createServer, type Socket } from 'node:net'

/** A way to a server that can do what networks do. Every fault lasts until `mend`. */
export interface Network {
  /** Where it is reached by this way. */
  readonly port: number
  /** Breaks every connection off, and each that comes. */
  cut(): void
  /**
   * Nothing arrives any more, and nobody is told: of both directions, or of the answers only, so that what was asked is
   * done and nobody hears of it.
   */
  hush(what: 'everything' | 'answers'): void
  /** Every piece, there and back, arrives so much later. */
  delay(milliseconds: number): void
  /** What was hushed arrives now. */
  mend(): void
  stop(): Promise<void>
}

type Direction = 'questions' | 'answers'

/** So many bytes wait on a hushed way; then the sender is held back, as by a full window. */
const waitingBytesMax = 1024 * 1024

export async function openNetwork(targetPort: number): Promise<Network> {
  const sockets = new Set<Socket>()
  const pipes = new Set<{ look(): void }>()
  const state = { isCut: false, hushed: new Set<Direction>(), delayMs: 0 }

  const join = (from: Socket, to: Socket, direction: Direction): void => {
    const waiting: { readonly dueAt: number; readonly piece: Buffer }[] = []
    let waitingBytes = 0
    let hasEnded = false
    let timer: NodeJS.Timeout | undefined
    const look = (): void => {
      clearTimeout(timer)
      timer = undefined
      if (state.hushed.has(direction)) return
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const inMs = next.dueAt - performance.now()
        if (inMs > 0) return void (timer = setTimeout(look, inMs))
        waiting.shift()
        waitingBytes -= next.piece.length
        if (!to.destroyed) to.write(next.piece)
      }
      if (from.isPaused()) from.resume()
      if (hasEnded) to.end()
    }
    const pipe = { look }
    pipes.add(pipe)
    sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (piece: Buffer) => {
      waiting.push({ dueAt: performance.now() + state.delayMs, piece })
      waitingBytes += piece.length
      if (waitingBytes > waitingBytesMax) from.pause()
      if (timer === undefined) look()
    })
    from.on('end', () => {
      hasEnded = true
      if (timer === undefined) look()
    })
    from.on('error', () => {})
    from.on('close', () => {
      clearTimeout(timer)
      sockets.delete(from)
      pipes.delete(pipe)
      // An end that was never said is not told while nobody hears anything.
      if (!state.hushed.has(direction)) to.destroy()
      else to.destroySoon()
    })
  }

  const server = createServer({ allowHalfOpen: true }, (caller) => {
    if (state.isCut) return void caller.destroy()
    const there = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    join(caller, there, 'questions')
    join(there, caller, 'answers')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const cut = () => {
    state.isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut,
    hush(what) {
      state.hushed = new Set(what === 'everything' ? (['questions', 'answers'] as const) : (['answers'] as const))
    },
    delay(milliseconds) {
      state.delayMs = milliseconds
    },
    mend() {
      state.isCut = false
      state.delayMs = 0
      state.hushed = new Set()
      for (const pipe of pipes) pipe.look()
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
