import { connect, createServer, type Socket } from 'node:net'

export interface Proxy {
  /** The target's URL by this way. */
  readonly url: string
  /** Breaks every connection off, and each that comes until `mend`. */
  cut(): void
  mend(): void
  stop(): Promise<void>
}

/** A way to a server that can be cut and mended, as a network or a restart would. */
export async function openProxy(target: URL): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((caller) => {
    if (isCut) return void caller.destroy()
    const there = connect(Number(target.port), target.hostname)
    for (const [one, other] of [
      [caller, there],
      [there, caller],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(typeof address === 'object' && address !== null ? address.port : 0)
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    cut,
    mend() {
      isCut = false
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
