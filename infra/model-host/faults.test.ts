import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { canary } from './http-answers.ts'
import { startModelHost, type Knobs, type ModelHost } from './model-host.ts'

let host: ModelHost

beforeAll(async () => {
  host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0, chunks: 6 } })
})

afterEach(() => {
  host.resetKnobs()
  host.clearUsage()
})

afterAll(() => host.stop())

test('an error status has a realistic body with inside words, for so many requests and no more', async () => {
  host.setKnobs({ status: 429, statusTimes: 2, retryAfterSeconds: 7 })
  const answers = [await post({}), await post({}), await post({})]
  expect(answers.map((answer) => answer.status)).toEqual([429, 429, 200])
  expect(answers[0]?.headers.get('retry-after')).toBe('7')
  expect(await answers[0]?.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', type: 'tokens' } })
  expect(await answers[1]?.text()).toContain(canary)
  expect(host.usage().map((row) => [row.status, row.finished, row.inputTokens])).toEqual([
    [429, 'error', 0],
    [429, 'error', 0],
    [200, 'complete', 9],
  ])
})

test('a connection closed before the headers, or in the middle of a body, is a cut', async () => {
  host.setKnobs({ closeBeforeHeaders: true })
  await expect(post({})).rejects.toThrow('fetch failed')
  host.resetKnobs()
  host.setKnobs({ closeAfterChunks: 1 })
  const half = await post({})
  expect(half.status).toBe(200)
  await expect(half.text()).rejects.toThrow('terminated')
  expect(host.usage().map((row) => [row.status, row.finished])).toEqual([
    [0, 'cut'],
    [200, 'cut'],
  ])
})

test('a host that never answers keeps the call open until its caller leaves, and bills the prompt', async () => {
  host.setKnobs({ stallBeforeHeaders: true })
  const caller = new AbortController()
  const answer = post({}, caller.signal)
  await vi.waitFor(() => expect(host.open()).toEqual(['request-1']))
  caller.abort()
  await expect(answer).rejects.toThrow('aborted')
  await vi.waitFor(() => expect(host.usage()).toHaveLength(1))
  expect(host.usage()[0]).toMatchObject({ finished: 'client_left', status: 0, inputTokens: 9, outputTokens: 0 })
  expect(host.stats().open).toBe(0)
})

test('a stream stalls after its chunks, and what it sent is in the log when the caller leaves', async () => {
  host.setKnobs({ stallAfterChunks: 3 })
  const caller = new AbortController()
  const answer = await post({ stream: true }, caller.signal)
  const reader = answer.body?.getReader()
  let text = ''
  while (text.split('"content"').length - 1 < 4) text += new TextDecoder().decode((await reader?.read())?.value)
  caller.abort()
  await vi.waitFor(() => expect(host.usage()).toHaveLength(1))
  expect(host.usage()[0]).toMatchObject({ finished: 'client_left', sentChunks: 3, outputTokens: 3 })
})

test('an answer nobody waits for was still generated up to then', async () => {
  host.setKnobs({ chunkMs: 5, chunks: 10_000 })
  const caller = new AbortController()
  const answer = post({}, caller.signal)
  await vi.waitFor(() => expect(host.open()).toHaveLength(1))
  caller.abort()
  await expect(answer).rejects.toThrow('aborted')
  await vi.waitFor(() => expect(host.usage()).toHaveLength(1))
  expect(host.usage()[0]).toMatchObject({ finished: 'client_left', sentChunks: 0 })
  expect(host.usage()[0]?.outputTokens).toBeLessThan(10_000)
})

test('a stream closed early ends without its end, after exactly its chunks', async () => {
  host.setKnobs({ closeAfterChunks: 2 })
  const { text, ended } = await stream({})
  expect(ended).toBe(false)
  expect(contents(text)).toHaveLength(2)
  expect(host.usage()[0]).toMatchObject({ finished: 'cut', sentChunks: 2, outputTokens: 2 })
})

test('an error event ends a stream in inside words and without [DONE]', async () => {
  host.setKnobs({ errorEventAfterChunks: 2 })
  const { text, ended } = await stream({})
  expect(ended).toBe(true)
  expect(contents(text)).toHaveLength(2)
  expect(text).toMatch(new RegExp(`data: \\{"error":\\{.*${canary}.*\\}\\}\n\n$`, 'u'))
  expect(host.usage()[0]).toMatchObject({ finished: 'error', outputTokens: 2 })
})

test('a broken event is one event, and the stream goes on', async () => {
  host.setKnobs({ malformedAfterChunks: 2 })
  const { text } = await stream({})
  const broken = events(text).filter((data) => data !== '[DONE]' && !parses(data))
  expect(broken).toHaveLength(1)
  expect(contents(text)).toHaveLength(6)
  expect(text).toMatch(/data: \[DONE\]\n\n$/u)
})

test.each<[Knobs['usage'], unknown[]]>([
  ['honest', [9, 6]],
  ['absent', []],
  ['zero', [0, 0]],
  ['negative', [-9, -6]],
  ['huge', [999_999_999_999, 999_999_999_999]],
  ['null', []],
  ['everyChunk', [9, 0, 9, 1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 6, 9, 6, 9, 6]],
])('the usage of a stream can be %s, while the log stays true', async (usage, expected) => {
  host.setKnobs({ usage })
  const { text } = await stream({ stream_options: { include_usage: true } })
  const reported = [...text.matchAll(/"prompt_tokens":(-?\d+),"completion_tokens":(-?\d+)/gu)]
  expect(reported.flatMap((match) => [Number(match[1]), Number(match[2])])).toEqual(expected)
  expect(host.usage()[0]).toMatchObject({ inputTokens: 9, outputTokens: 6 })
})

test('forced token numbers are what is reported and what is logged', async () => {
  host.setKnobs({ promptTokens: 1000, completionTokens: 77 })
  expect(await (await post({})).json()).toMatchObject({
    usage: { prompt_tokens: 1000, completion_tokens: 77, total_tokens: 1077 },
  })
  expect(host.usage()[0]).toMatchObject({ inputTokens: 1000, outputTokens: 77 })
})

test('the cap is kept unless the knob says to ignore it', async () => {
  const kept = await stream({ max_tokens: 2 })
  host.setKnobs({ ignoreCap: true })
  const ignored = await stream({ max_tokens: 2 })
  expect([contents(kept.text).length, contents(ignored.text).length]).toEqual([2, 6])
})

test('line ends, comments and cuts through characters change the bytes and not the words', async () => {
  host.setKnobs({ text: 'β-blocker, 0.5 µg, 👩‍⚕️ agreed', chunks: null })
  const plain = await stream({})
  host.setKnobs({ crlf: true, comments: true, splitBytes: 1 })
  const odd = await stream({})
  expect(odd.text).toContain(': keep-alive\r\n\r\n')
  expect(odd.text.replaceAll('\r\n', '\n').replaceAll(': keep-alive\n\n', '')).toBe(
    plain.text.replace('00000001', '00000002').replaceAll(idOf(plain.text), idOf(odd.text)),
  )
  expect(odd.parts).toBeGreaterThan(plain.parts)
  expect(contents(odd.text).join('')).toBe('β-blocker, 0.5 µg, 👩‍⚕️ agreed')
})

test('a script is sent byte for byte', async () => {
  host.setKnobs({
    script: [{ text: 'data: {"x":"' }, { base64: Buffer.from([0xf0, 0x9f]).toString('base64') }, { text: 'end' }],
    scriptEnd: 'destroy',
  })
  const answer = await post({ stream: true })
  const bytes = await collect(answer)
  expect(bytes.ended).toBe(false)
  expect(bytes.bytes).toEqual(
    Buffer.concat([Buffer.from('data: {"x":"'), Buffer.from([0xf0, 0x9f]), Buffer.from('end')]),
  )
})

test('connections are refused as long, or as often, as asked', async () => {
  const port = Number(new URL(host.url).port)
  const closes = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.resume()
    await once(socket, 'close')
  }
  host.setKnobs({ refuseConnections: 2 })
  await closes()
  await closes()
  expect((await post({})).status).toBe(200)
  host.setKnobs({ refuseConnections: true })
  await closes()
  await expect(post({})).rejects.toThrow('fetch failed')
})

test('a header turns the knobs of one request', async () => {
  const [bad, good] = [await post({}, null, { status: 503 }), await post({})]
  expect([bad.status, good.status]).toEqual([503, 200])
})

function post(more: Record<string, unknown>, signal: AbortSignal | null = null, knobs?: Partial<Knobs>) {
  return fetch(`${host.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-request-id': 'request-1', ...(knobs === undefined ? {} : { 'x-host-knobs': JSON.stringify(knobs) }) },
    // 9 prompt tokens: 3 + 3 + 12 characters / 4.
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Is this safe' }], ...more }),
    signal,
  })
}

async function stream(more: Record<string, unknown>) {
  const collected = await collect(await post({ stream: true, ...more }))
  return { ...collected, text: collected.bytes.toString() }
}

async function collect(answer: Response): Promise<{ bytes: Buffer; parts: number; ended: boolean }> {
  const parts: Uint8Array[] = []
  const reader = answer.body?.getReader()
  try {
    for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) parts.push(read.value)
    return { bytes: Buffer.concat(parts), parts: parts.length, ended: true }
  } catch {
    return { bytes: Buffer.concat(parts), parts: parts.length, ended: false }
  }
}

function events(text: string): string[] {
  return [...text.matchAll(/^data: (.*)$/gmu)].map((match) => match[1]?.trimEnd() ?? '')
}

function contents(text: string): string[] {
  return events(text)
    .filter((data) => data !== '[DONE]' && parses(data))
    .map((data) => JSON.parse(data).choices?.[0]?.delta?.content ?? '')
    .filter((content) => content !== '')
}

function parses(data: string): boolean {
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}

function idOf(text: string): string {
  return /"id":"([^"]+)"/u.exec(text)?.[1] ?? ''
}
