import { createReadStream } from 'node:fs'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'
import { PackedBatch, type Spool } from '../../metering/index.ts'

/** One line per batch: the CRC-32 of the JSON in eight hex digits, a space, the JSON. A line cut by a crash is no line. */
const linePattern = /^([0-9a-f]{8}) (\{.*\})$/

interface Waiting {
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A spool in one file, which is there only while it holds something. What waits is written and synced together.
 * `bytesMax` is all that it may take of the disk.
 */
export class FileSpool implements Spool {
  readonly #path: string
  readonly #bytesMax: number
  #file: FileHandle | undefined
  #bytes = 0
  #batches = 0
  #waiting: Waiting[] = []
  #working: Promise<void> = Promise.resolve()
  #isWriting = false

  constructor(path: string, options: { bytesMax: number }) {
    this.#path = path
    this.#bytesMax = options.bytesMax
  }

  append(batch: PackedBatch): Promise<void> {
    const json = JSON.stringify(batch)
    const line = `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject })
      if (this.#isWriting) return
      this.#isWriting = true
      void this.#inTurn(() => this.#writeAll())
    })
  }

  async *read(): AsyncGenerator<PackedBatch> {
    // Up to here every line is whole.
    const end = this.#bytes
    if (end > 0) yield* readSpool(this.#path, { end })
  }

  clear(batches: number): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#batches > batches || this.#waiting.length > 0) return false
      await this.#file?.close()
      this.#file = undefined
      await rm(this.#path, { force: true })
      this.#bytes = 0
      this.#batches = 0
      return true
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#working.then(work)
    this.#working = done.then(
      () => {},
      () => {},
    )
    return done
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0)
      try {
        await this.#write(some.map(({ line }) => line).join(''))
        this.#batches += some.length
        for (const { resolve } of some) resolve()
      } catch (error) {
        for (const { reject } of some) reject(error)
      }
    }
    this.#isWriting = false
  }

  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    if (this.#bytes + bytes.length > this.#bytesMax)
      throw new Error(`the spool is full: it may hold ${this.#bytesMax} bytes`)
    const file = (this.#file ??= await this.#create())
    try {
      let written = 0
      while (written < bytes.length) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, this.#bytes + written)
        written += bytesWritten
      }
      await file.datasync()
    } catch (error) {
      // What stands behind the last whole line must not come between it and the next.
      await file.truncate(this.#bytes).catch(() => {})
      throw error
    }
    this.#bytes += bytes.length
  }

  async #create(): Promise<FileHandle> {
    const folder = dirname(this.#path)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = await open(this.#path, 'wx', 0o600)
    // The file's name has to survive as well.
    const directory = await open(folder, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
    return file
  }
}

/** The whole batches of a spool file, in order; what follows the first broken line was never acknowledged. */
export async function* readSpool(path: string, options: { end?: number } = {}): AsyncGenerator<PackedBatch> {
  const input = createReadStream(path, options.end === undefined ? {} : { end: options.end - 1 })
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  try {
    for await (const line of lines) {
      const match = linePattern.exec(line)
      const [, sum = '', json = ''] = match ?? []
      if (match === null || crc32(json) !== Number.parseInt(sum, 16)) return
      yield PackedBatch.parse(JSON.parse(json))
    }
  } finally {
    lines.close()
    input.destroy()
  }
}
