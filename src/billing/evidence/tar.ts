import { assert } from '../../kernel/index.ts'

const blockBytes = 512
const encoder = new TextEncoder()

/**
 * The head of a file in an archive as `tar` reads it (POSIX.1-2017, ustar): no owner, no time, always the same bytes for the
 * same name and size.
 */
export function tarHead(name: string, bytes: number): Uint8Array {
  const head = new Uint8Array(blockBytes)
  const put = (text: string, at: number) => head.set(encoder.encode(text), at)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  assert(encoder.encode(name).length <= 100 && bytes < 8 ** 11, `${name} has no place in an archive`)
  put(name, 0)
  put(octal(0o644, 7), 100)
  put(octal(0, 7), 108)
  put(octal(0, 7), 116)
  put(octal(bytes, 11), 124)
  put(octal(0, 11), 136)
  put('        ', 148)
  put('0', 156)
  put('ustar\0', 257)
  put('00', 263)
  put(
    `${octal(
      head.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  )
  return head
}

/** What stands between a file of so many bytes and the next head. */
export const tarGap = (bytes: number): Uint8Array => new Uint8Array((blockBytes - (bytes % blockBytes)) % blockBytes)

/** Two empty blocks. */
export const tarEnd = (): Uint8Array => new Uint8Array(2 * blockBytes)

export interface TarFile {
  readonly name: string
  readonly bytes: number
  /** What is in it, in pieces; it has to be read before the next file is asked for. */
  readonly pieces: AsyncIterable<Uint8Array>
}

export class TarError extends Error {}

/** The files of an archive that `tarHead` made, one after another. @throws TarError at whatever else. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const reader = new PieceReader(source)
  for (;;) {
    const head = await reader.take(blockBytes)
    if (head === undefined) throw new TarError('the archive does not end')
    if (head.every((byte) => byte === 0)) {
      const last = await reader.take(blockBytes)
      if (last?.every((byte) => byte === 0) !== true || (await reader.take(1)) !== undefined)
        throw new TarError('something stands after the archive’s end')
      return
    }
    const text = new TextDecoder('latin1').decode(head)
    const name = text.slice(0, 100).replace(/\0.*$/s, '')
    const bytes = Number.parseInt(text.slice(124, 135), 8)
    if (!Number.isSafeInteger(bytes) || !isSame(head, tarHead(name, bytes)))
      throw new TarError('a head is not as we write it')
    let left = bytes
    yield {
      name,
      bytes,
      pieces: (async function* pieces() {
        while (left > 0) {
          const piece = await reader.some(left)
          if (piece === undefined) throw new TarError(`${name} is cut off`)
          left -= piece.length
          yield piece
        }
      })(),
    }
    if (left > 0) throw new TarError(`${name} was not read`)
    const gap = await reader.take(tarGap(bytes).length)
    if (gap?.every((byte) => byte === 0) !== true) throw new TarError(`something stands after ${name}`)
  }
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at])

/** Takes bytes from a source whose pieces are of any length. */
class PieceReader {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** At least one byte and at most so many; undefined at the end. */
  async some(most: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return undefined
      this.#rest = next.value
    }
    const piece = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(piece.length)
    return piece
  }

  /** Exactly so many; undefined when there are none left, or too few. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const whole = new Uint8Array(count)
    for (let at = 0; at < count;) {
      const piece = await this.some(count - at)
      if (piece === undefined) return undefined
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}
