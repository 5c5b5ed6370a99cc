import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadCorpus, upstreamBytes } from '../../test/conformance/streams/load-corpus.ts'
import { readByReference } from '../../test/conformance/streams/reference-reading.ts'
import { contentBytes, eventBytesMax, SseReader } from './sse-reader.ts'

/** Everything that a reader makes of a stream which arrives in these pieces. */
function readIn(pieces: readonly Uint8Array[], keepUsageChunk: boolean) {
  const reader = new SseReader({ keepUsageChunk })
  const left: Uint8Array[] = []
  for (const piece of pieces) {
    left.push(...reader.feed(piece))
    if (reader.done || reader.hostError || reader.overflowed) break
  }
  left.push(...reader.end())
  const { done, hostError, overflowed, finishedChoices, reported, delivered, tail } = reader
  const text = Buffer.concat([...left, tail ?? new Uint8Array(0)]).toString('latin1')
  return { text, done, hostError, overflowed, finishedChoices, reported, delivered }
}

/** Cuts bytes at places given as fractions of their length. */
function cutAt(bytes: Uint8Array, fractions: readonly number[]): Uint8Array[] {
  const places = [...new Set(fractions.map((fraction) => Math.floor(fraction * bytes.length)))].toSorted(
    (a, b) => a - b,
  )
  return [...places, bytes.length].map((place, index) => bytes.subarray(places[index - 1] ?? 0, place))
}

const byteByByte = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const cuts = fc.array(fraction, { maxLength: 40 })

describe.each(loadCorpus())('$name', (streamCase) => {
  const bytes = new Uint8Array(upstreamBytes(streamCase))
  const whole = readIn([bytes], streamCase.callerAskedForUsage)

  test('leaves as the reference reading says', () => {
    const reading = readByReference(streamCase)
    if (streamCase.expect.outcome === 'answered') expect(whole.text).toBe(reading.callerBytes.toString('latin1'))
    expect(whole.done).toBe(reading.done)
    expect(whole.hostError).toBe(reading.outcome === 'host_error')
  })

  test('is read the same however it is cut', () => {
    if (bytes.length < 20_000) expect(readIn(byteByByte(bytes), streamCase.callerAskedForUsage)).toEqual(whole)
    fc.assert(
      fc.property(cuts, (places) => {
        expect(readIn(cutAt(bytes, places), streamCase.callerAskedForUsage)).toEqual(whole)
      }),
      { seed: 1, numRuns: 50 },
    )
  })
})

const eventLines = fc.constantFrom(
  ['data: {"choices":[{"index":0,"delta":{"content":"Take"},"finish_reason":null}]}'],
  ['data: {"choices":[{"index":0,"delta":{"content":"é \\"[DONE]\\" 😀"},"finish_reason":null}]}'],
  ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'],
  ['data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":2}}'],
  ['data: {"choices":[],', 'data:"usage":{"prompt_tokens":1,"completion_tokens":1}}'],
  ['data: {"choices":[],"usage":null}'],
  ['event: message', 'id: 7', 'data: {"choices":[]}'],
  [': keep-alive'],
  ['data:'],
  ['data: {"error":{"message":"inside"}}'],
  ['data: [DONE]'],
  [],
)
/** A line end that a stream keeps to, or one that a proxy has changed here and there. */
const lineEnds = fc.oneof(fc.constantFrom(['\n'], ['\r\n'], ['\r']), fc.constant(['\n', '\r\n']))

test('any stream is read the same however it is cut, with every line end', () => {
  fc.assert(
    fc.property(
      fc.array(eventLines, { maxLength: 12 }),
      lineEnds,
      fc.infiniteStream(fc.nat()),
      cuts,
      fc.boolean(),
      (events, ends, picks, places, keep) => {
        const end = () => ends[(picks.next().value ?? 0) % ends.length] ?? '\n'
        const text = events.map((lines) => [...lines, ''].map((line) => line + end()).join('')).join('')
        const bytes = new TextEncoder().encode(text)
        expect(readIn(cutAt(bytes, places), keep)).toEqual(readIn([bytes], keep))
        expect(readIn(byteByByte(bytes), keep)).toEqual(readIn([bytes], keep))
      },
    ),
    { seed: 1, numRuns: 3_000 },
  )
})

test.each([
  ['LF', '\n\n'],
  ['CR LF', '\r\n\r\n'],
  ['CR', '\r\r'],
])('an event that ends in %s leaves with its last byte, not with the next event', (_name, ending) => {
  const reader = new SseReader({ keepUsageChunk: false })
  for (let event = 0; event < 3; event++) {
    const bytes = new TextEncoder().encode(`data: {"choices":[${event}]}${ending}`)
    const early = reader.feed(bytes.subarray(0, -1))
    const last = reader.feed(bytes.subarray(-1))
    expect(Buffer.concat(early)).toHaveLength(0)
    expect(Buffer.concat(last)).toEqual(Buffer.from(bytes))
  }
})

test('[DONE] is kept back, and nothing that comes after it is read', () => {
  const after = 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9}}\n\n'
  const reader = new SseReader({ keepUsageChunk: true })
  expect(reader.feed(new TextEncoder().encode(`data: [DONE]\n\n${after}`))).toEqual([])
  expect(Buffer.from(reader.tail ?? []).toString()).toBe('data: [DONE]\n\n')
  expect(reader.reported).toBeUndefined()
})

/** The usage that is left standing when these come after a word. */
function reportedAfter(usages: readonly string[]) {
  const word = 'data: {"choices":[{"index":0,"delta":{"content":"Take"}}]}\n\n'
  const chunks = usages.map((usage) => `data: {"choices":[],"usage":${usage}}\n\n`)
  return readIn([new TextEncoder().encode(word + chunks.join(''))], false).reported
}

test('the last usage that counts is the one reported: zeros after words do not replace it', () => {
  const real = '{"prompt_tokens":12,"completion_tokens":5}'
  for (const nothing of [
    'null',
    '{"prompt_tokens":0,"completion_tokens":0}',
    '{"prompt_tokens":12,"completion_tokens":0}',
    '{"completion_tokens":9}',
  ])
    expect(reportedAfter([real, nothing]), nothing).toEqual({ inputTokens: 12, outputTokens: 5 })
  expect(reportedAfter([real, '{"prompt_tokens":12,"completion_tokens":6}'])).toEqual({
    inputTokens: 12,
    outputTokens: 6,
  })
})

test('an event without an end is given up at its limit, and what is held is never more', () => {
  const reader = new SseReader({ keepUsageChunk: false })
  const part = new Uint8Array(1024 * 1024).fill(0x61)
  let fed = 0
  while (!reader.overflowed && fed < 100) {
    expect(reader.feed(part)).toEqual([])
    fed++
  }
  expect(fed).toBe(eventBytesMax / part.length + 1)
})

describe('the bytes of content', () => {
  test.each([
    ['{"choices":[{"delta":{"content":"Take two."}}]}', 9],
    ['{"choices":[{"delta":{"content": "a\\"b"}}]}', 4],
    ['{"choices":[{"delta":{"content":"a\\\\"}}]}', 3],
    ['{"choices":[{"delta":{"content":""}}]}', 0],
    ['{"choices":[{"delta":{"content":null}}]}', 0],
    ['{"choices":[{"delta":{"role":"assistant"}}]}', 0],
    ['{"choices":[{"delta":{"content":"ab","refusal":"c","reasoning_content":"d"}}]}', 4],
    ['{"choices":[{"delta":{"tool_calls":[{"function":{"name":"dose","arguments":"{\\"mg\\":"}}]}}]}', 4 + 8],
    ['{"choices":[{"delta":{"content":"\\"content\\":\\"not twice\\""}}]}', 25],
    ['{"choices":[{"delta":{"content":"cut off', 0],
  ])('of %s are %i', (text, bytes) => {
    expect(contentBytes(text)).toBe(bytes)
  })

  test.each(['a', '\\n', '\\"'])('of an answer as long as an answer may be are counted, one of %s only', (unit) => {
    const content = unit.repeat(Math.floor((60 * 1024 * 1024) / unit.length))
    expect(contentBytes(`{"choices":[{"message":{"content":"${content}"}}]}`)).toBe(content.length)
  })
})
