/**
 * Reads HTTP/1.1 answers off one connection, one after the other: the status, where the body ends, and nothing else. A
 * load generator that took headers apart would measure itself. What it does not understand, it throws at.
 */
export class ResponseReader {
  status = 0
  bodyBytes = 0
  /** Whether the body's last bytes were those of `data: [DONE]`, as far as three bytes can tell. */
  get endsInDone(): boolean {
    return this.#tail === doneTail
  }

  #state: 'head' | 'fixed' | 'size' | 'data' | 'skip' | 'over' = 'head'
  #head = ''
  /** Bytes that are still to come of the body, of the chunk, or of what is skipped. */
  #left = 0
  #isLastChunk = false
  #tail = 0

  /** Forgets the answer that is over. */
  next(): void {
    this.status = 0
    this.bodyBytes = 0
    this.#state = 'head'
    this.#head = ''
    this.#left = 0
    this.#isLastChunk = false
    this.#tail = 0
  }

  /** Takes the first `length` bytes. True when the answer is whole. */
  push(bytes: Uint8Array, length: number): boolean {
    let at = this.#state === 'head' ? this.#readHead(bytes, length) : 0
    while (at < length) {
      switch (this.#state) {
        case 'fixed':
        case 'data':
          at = this.#readBody(bytes, at, length)
          break
        case 'size':
          at = this.#readSize(bytes, at, length)
          break
        case 'skip':
          at = this.#skip(at, length)
          break
        case 'head':
          return false
        case 'over':
          throw new Error('bytes after the end of an answer')
      }
    }
    return this.#state === 'over'
  }

  /** Where the body begins, or `length` when the head is not whole yet. */
  #readHead(bytes: Uint8Array, length: number): number {
    const known = this.#head.length
    // A copy of what came, up to four kilobytes: more than any head here.
    this.#head += latin1(bytes, Math.min(length, headBytesMax))
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#head.length >= headBytesMax) throw new Error('the head of an answer is too long')
      return length
    }
    const head = this.#head.slice(0, end)
    this.status = Number(head.slice(9, 12))
    const lengthLine = /\r\ncontent-length: *(\d+)/i.exec(head)
    if (lengthLine !== null) {
      this.#left = Number(lengthLine[1])
      this.#state = this.#left === 0 ? 'over' : 'fixed'
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = 'size'
    } else throw new Error(`an answer without a length: ${head}`)
    return end + 4 - known
  }

  #readBody(bytes: Uint8Array, at: number, length: number): number {
    const end = Math.min(length, at + this.#left)
    for (let index = Math.max(at, end - 3); index < end; index++)
      this.#tail = ((this.#tail << 8) | (bytes[index] ?? 0)) & 0xffffff
    this.bodyBytes += end - at
    this.#left -= end - at
    if (this.#left > 0) return end
    if (this.#state === 'fixed') this.#state = 'over'
    else this.#skipNext()
    return end
  }

  #readSize(bytes: Uint8Array, from: number, length: number): number {
    for (let at = from; at < length; at++) {
      const byte = bytes[at] ?? 0
      if (byte === lineFeed) {
        this.#isLastChunk = this.#left === 0
        if (this.#isLastChunk) this.#skipNext()
        else this.#state = 'data'
        return at + 1
      }
      if (byte !== carriageReturn) this.#left = this.#left * 16 + hexDigit(byte)
    }
    return length
  }

  /** The line end after a chunk, or after the last one (nobody here sends trailers). */
  #skipNext(): void {
    this.#state = 'skip'
    this.#left = 2
  }

  #skip(at: number, length: number): number {
    const end = Math.min(length, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#state = this.#isLastChunk ? 'over' : 'size'
    return end
  }
}

const headBytesMax = 4096
const carriageReturn = 13
const lineFeed = 10
/** `]` and two line feeds. */
const doneTail = (93 << 16) | (lineFeed << 8) | lineFeed

const latin1 = (bytes: Uint8Array, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 32
  if (letter >= 97 && letter <= 102) return letter - 87
  throw new Error('a chunk size that is no number')
}
