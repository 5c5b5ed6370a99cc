import { connect, type Socket } from 'node:net'
import { ResponseReader } from './response-reader.ts'

/** Times of one call, in milliseconds of `performance.now()`. */
export interface CallTimes {
  readonly begunAt: number
  /** The first byte of the body; the head alone says nothing to whoever waits for a token. */
  readonly firstByteAt: number
  readonly endedAt: number
}

export interface LoadConnectionOptions {
  readonly port: number
  /** Whether an answer must end as a stream of events does. */
  readonly streamed: boolean
  nextRequest(): Uint8Array
  /** A call has ended well. False: this connection sends no more. */
  onCall(times: CallTimes): boolean
  /** An answer that is no answer, with its first bytes as text. */
  onRefused(status: number, text: string): boolean
  onBroken(error: Error): void
}

/** One read buffer for all connections: what is read is looked at before anything else is read. */
const shared = Buffer.allocUnsafe(64 * 1024)

/** One connection in a closed loop: a call, its answer, the next call. */
export class LoadConnection {
  readonly #options: LoadConnectionOptions
  readonly #reader = new ResponseReader()
  #socket: Socket | undefined
  #begunAt = 0
  #firstByteAt = 0
  #over = false

  constructor(options: LoadConnectionOptions) {
    this.#options = options
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port: this.#options.port,
        noDelay: true,
        onread: {
          buffer: shared,
          callback: (length) => {
            this.#read(length)
            return true
          },
        },
      })
      this.#socket = socket
      socket.once('connect', () => resolve())
      socket.on('error', (error) => {
        reject(error)
        this.#break(error)
      })
      socket.on('close', () => this.#break(new Error('the connection was closed')))
    })
  }

  send(): void {
    this.#reader.next()
    this.#firstByteAt = 0
    this.#begunAt = performance.now()
    this.#socket?.write(this.#options.nextRequest())
  }

  close(): void {
    this.#over = true
    this.#socket?.destroy()
  }

  #read(length: number): void {
    if (this.#over) return
    try {
      const reader = this.#reader
      const isWhole = reader.push(shared, length)
      if (this.#firstByteAt === 0 && reader.bodyBytes > 0) this.#firstByteAt = performance.now()
      if (!isWhole) return
      const goesOn =
        reader.status === 200 ? this.#ended() : this.#options.onRefused(reader.status, textOf(shared, length))
      if (goesOn) this.send()
      else this.close()
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error('not an answer'))
    }
  }

  #ended(): boolean {
    if (this.#options.streamed && !this.#reader.endsInDone) throw new Error('a stream that ended without [DONE]')
    return this.#options.onCall({
      begunAt: this.#begunAt,
      firstByteAt: this.#firstByteAt,
      endedAt: performance.now(),
    })
  }

  #break(error: Error): void {
    if (this.#over) return
    this.close()
    this.#options.onBroken(error)
  }
}

const textOf = (bytes: Buffer, length: number): string => bytes.toString('latin1', 0, Math.min(length, 1200))
