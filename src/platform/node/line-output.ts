import { writeSync } from 'node:fs'

/** A write of so many bytes goes into a pipe whole (POSIX, PIPE_BUF), so that processes that share one tear no line. */
const bytesAtOnce = 4096
/** What waits for a reader that does not read; beyond that, lines are counted and dropped. */
const charsWaitingMax = 4 * 1024 * 1024
const tryAgainMs = 10
const lastTries = 100

/**
 * Lines on their way to a file descriptor: gathered, and written a few at a time. Whoever reads them must not be able to
 * stop a gateway: a reader that has gone is written to no more, and one that does not read costs its own lines.
 *
 * pino's own destination does neither: when the reader has gone, `flushSync` of sonic-boom 4.2 tries again for ever.
 */
export class LineOutput {
  readonly #fd: number
  #waiting = ''
  #rest = Buffer.alloc(0)
  #hasReader = true
  #dropped = 0
  #isWaiting = false

  constructor(fd: number) {
    this.#fd = fd
  }

  /** Takes whole lines. */
  write(lines: string): void {
    if (!this.#hasReader) return
    if (this.#waiting.length > charsWaitingMax) {
      this.#dropped++
      return
    }
    this.#waiting += lines
    if (this.#waiting.length >= bytesAtOnce) this.push()
  }

  /** Writes what waits, as far as the reader takes it at once. True when nothing waits any more. */
  push(): boolean {
    while (this.#hasReader) {
      if (this.#rest.length === 0 && this.#waiting === '') return true
      if (this.#rest.length === 0) this.#takeWaiting()
      try {
        this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest, 0, endOfLines(this.#rest)))
      } catch (error) {
        if (isFull(error)) return this.#pushLater()
        this.#hasReader = false
      }
    }
    return true
  }

  #pushLater(): false {
    if (!this.#isWaiting) setTimeout(() => this.#pushAgain(), tryAgainMs).unref()
    this.#isWaiting = true
    return false
  }

  #pushAgain(): void {
    this.#isWaiting = false
    this.push()
  }

  /** For the end of a process: waits a second at most for the reader. */
  flush(): void {
    for (let tries = 0; tries < lastTries && !this.push(); tries++) Atomics.wait(pause, 0, 0, tryAgainMs)
  }

  #takeWaiting(): void {
    const dropped = this.#dropped === 0 ? '' : `{"level":40,"event":"log.dropped","lines":${this.#dropped}}\n`
    this.#rest = Buffer.from(this.#waiting + dropped)
    this.#waiting = ''
    this.#dropped = 0
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4))

function endOfLines(bytes: Buffer): number {
  if (bytes.length <= bytesAtOnce) return bytes.length
  const last = bytes.lastIndexOf(10, bytesAtOnce - 1)
  return last === -1 ? bytesAtOnce : last + 1
}

const isFull = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN'
