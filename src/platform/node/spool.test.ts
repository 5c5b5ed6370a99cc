import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PackedBatch } from '../../metering/index.ts'
import { FileSpool, readSpool } from './spool.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'formulary-spool-'))
  path = join(folder, 'spool', 'one.spool')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const batch = (number: number, events = '[]'): PackedBatch => ({
  instanceId: '01890a5d-ac96-774b-bcce-b302099a8057',
  lane: 0,
  number,
  events,
  ended: '[]',
})
const spoolOf = (bytesMax = 1_000_000) => new FileSpool(path, { bytesMax })

async function all(batches: AsyncIterable<PackedBatch>): Promise<readonly number[]> {
  const numbers: number[] = []
  for await (const { number } of batches) numbers.push(number)
  return numbers
}

describe('a spool', () => {
  test('gives back what was appended, in order, to its process and to whoever finds the file', async () => {
    const spool = spoolOf()
    await Promise.all([1, 2, 3].map((number) => spool.append(batch(number, '[{"é":"\\n"}]'))))
    await spool.append(batch(4))
    expect(await all(spool.read())).toEqual([1, 2, 3, 4])
    expect(await all(readSpool(path))).toEqual([1, 2, 3, 4])
  })

  test('has no file while it is empty, and begins a new one after it was cleared', async () => {
    const spool = spoolOf()
    expect(await all(spool.read())).toEqual([])
    expect(existsSync(path)).toBe(false)
    await spool.append(batch(1))
    expect(await spool.clear(1)).toBe(true)
    expect(existsSync(path)).toBe(false)
    await spool.append(batch(2))
    expect(await all(spool.read())).toEqual([2])
  })

  test('is not cleared of what came after the replay had read it', async () => {
    const spool = spoolOf()
    await spool.append(batch(1))
    await spool.append(batch(2))
    expect(await spool.clear(1)).toBe(false)
    const third = spool.append(batch(3))
    expect(await spool.clear(2)).toBe(false)
    await third
    expect(await all(spool.read())).toEqual([1, 2, 3])
    expect(await spool.clear(3)).toBe(true)
  })

  test('refuses what would make it longer than it may be, whole, and takes what still fits', async () => {
    const spool = spoolOf(500)
    await spool.append(batch(1))
    await expect(spool.append(batch(2, 'x'.repeat(500)))).rejects.toThrow('the spool is full: it may hold 500 bytes')
    await spool.append(batch(3))
    expect(await all(readSpool(path))).toEqual([1, 3])
  })

  test('ends for its reader at a line that a crash has cut, at whatever byte', async () => {
    const spool = spoolOf()
    await spool.append(batch(1))
    await spool.append(batch(2))
    const whole = readFileSync(path)
    const secondAt = whole.indexOf('\n') + 1
    for (let length = whole.length - 2; length > secondAt; length -= 7) {
      truncateSync(path, length)
      expect(await all(readSpool(path))).toEqual([1])
    }
  })

  test('ends for its reader at a line whose bytes are others than were written', async () => {
    const spool = spoolOf()
    await spool.append(batch(1))
    await spool.append(batch(2))
    const bytes = readFileSync(path)
    const at = bytes.indexOf('"number":2') + '"number":'.length
    bytes[at] = '3'.charCodeAt(0)
    writeFileSync(path, bytes)
    appendFileSync(path, 'nonsense\n')
    expect(await all(readSpool(path))).toEqual([1])
  })

  test('on a disk that does not take it says so for each batch', async () => {
    writeFileSync(join(folder, 'spool'), 'a file where the folder should be')
    await expect(spoolOf().append(batch(1))).rejects.toThrow()
  })
})
