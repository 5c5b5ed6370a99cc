import { expect, test } from 'vitest'
import { startModelHost } from '../../../infra/model-host/model-host.ts'
import { loadCorpus, upstreamBytes, type StreamCase } from './load-corpus.ts'
import { readByReference } from './reference-reading.ts'

const corpus = loadCorpus()

test('the corpus is there, and no two cases have one name', () => {
  expect(corpus.length).toBeGreaterThanOrEqual(80)
  expect(new Set(corpus.map((each) => each.name)).size).toBe(corpus.length)
})

test.each(corpus)('$name: a naive reading agrees with what is expected', (streamCase) => {
  const { callerBytes: _, ...reading } = readByReference(streamCase)
  expect(reading).toEqual(streamCase.expect)
})

test.each([
  ['usage-last-chunk-not-asked', [0, 1, 2, 3, 5]],
  ['crlf-not-asked', [0, 1, 2, 3, 5]],
  ['usage-chunk-split', [0, 1, 2, 3, 7]],
  ['done-twice', [0, 1, 2, 3, 4]],
  ['error-in-the-middle', [0, 1, 2]],
  ['two-events-in-one-write', [0, 1, 2]],
])('%s: what its caller gets are the writes %j, to the byte', (name, kept) => {
  const streamCase = corpus.find((each) => each.name === name)
  const writes = streamCase?.writes.filter((_, index) => kept.includes(index)) ?? []
  expect(streamCase && readByReference(streamCase).callerBytes.toString()).toBe(upstreamBytes({ writes }).toString())
})

test('the words a failed host must keep to itself stand in every error case', () => {
  const failing = corpus.filter((each) => each.expect.outcome === 'host_error')
  expect(failing.length).toBeGreaterThanOrEqual(5)
  for (const each of failing) expect(upstreamBytes(each).toString()).toContain('inside-words-canary')
})

test('each case can be played over real HTTP, write by write', async () => {
  const host = await startModelHost()
  for (const streamCase of corpus) {
    host.setKnobs({ script: streamCase.writes, scriptEnd: streamCase.end })
    const wanted = upstreamBytes(streamCase)
    const played = await play(host.url, wanted.length, streamCase.end)
    expect(played.bytes.equals(wanted), streamCase.name).toBe(true)
    expect(played.end, streamCase.name).toBe(streamCase.end)
  }
  await host.stop()
})

/** Reads to the end, or gives up where a stalling host has said all it will. */
async function play(url: string, bytes: number, end: StreamCase['end']) {
  const caller = new AbortController()
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    signal: caller.signal,
  })
  const reader = answer.body?.getReader()
  let received = Buffer.alloc(0)
  try {
    for (;;) {
      if (end === 'stall' && received.length >= bytes) {
        caller.abort()
        return { bytes: received, end: 'stall' }
      }
      const read = await reader?.read()
      if (read?.value === undefined) return { bytes: received, end: 'close' }
      received = Buffer.concat([received, read.value])
    }
  } catch {
    return { bytes: received, end: 'destroy' }
  }
}
