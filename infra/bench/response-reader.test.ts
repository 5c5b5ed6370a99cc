import { describe, expect, test } from 'vitest'
import { ResponseReader } from './response-reader.ts'

const whole = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello'
const events = ['data: {"a":1}\n\n', 'data: [DONE]\n\n']
const chunked = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${events
  .map((event) => `${event.length.toString(16)}\r\n${event}\r\n`)
  .join('')}0\r\n\r\n`

/** Feeds the text in pieces of so many bytes, and says after how many bytes the answer was whole. */
function feed(reader: ResponseReader, text: string, piece: number): number | undefined {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += piece) {
    const part = bytes.subarray(at, at + piece)
    if (reader.push(part, part.length)) return at + part.length
  }
  return undefined
}

describe('the load generator knows where an answer ends', () => {
  for (const piece of [1, 2, 3, 7, 1000]) {
    test(`with a length, in pieces of ${piece}`, () => {
      const reader = new ResponseReader()
      expect(feed(reader, whole, piece)).toBe(whole.length)
      expect([reader.status, reader.bodyBytes, reader.endsInDone]).toEqual([200, 5, false])
    })

    test(`in chunks, in pieces of ${piece}`, () => {
      const reader = new ResponseReader()
      expect(feed(reader, chunked, piece)).toBe(chunked.length)
      expect([reader.status, reader.bodyBytes, reader.endsInDone]).toEqual([200, events.join('').length, true])
    })
  }

  test('one after the other', () => {
    const reader = new ResponseReader()
    for (const text of [whole, chunked, whole]) {
      reader.next()
      expect(feed(reader, text, 11)).toBe(text.length)
    }
  })
})

test('a stream that was cut does not end in [DONE]', () => {
  const reader = new ResponseReader()
  feed(reader, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n0\r\n\r\n', 1000)
  expect(reader.endsInDone).toBe(false)
})

test('an answer without a length, and bytes after an answer, are errors', () => {
  expect(() => feed(new ResponseReader(), 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello', 1000)).toThrow(/length/)
  expect(() => feed(new ResponseReader(), `${whole}more`, 1000)).toThrow(/after the end/)
})
