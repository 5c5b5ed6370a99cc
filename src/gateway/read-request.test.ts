import { describe, expect, test } from 'vitest'
import { readChat, readEmbeddings, readInfer, type ModelRequest, type RequestRefusal } from './read-request.ts'

const message = { role: 'user', content: 'hello' }
const chat = { model: 'scribe', messages: [message] }
const tensor = { name: 'ecg', shape: [1, 2], datatype: 'FP32', data: [1, 2] }

const changes = { upstreamModel: 'up', outputTokensMax: 99, pseudonym: (value: string) => `p(${value.length})` }

function accepted(read: ReturnType<typeof readChat>): ModelRequest {
  if (!read.ok) throw new Error(JSON.stringify(read.error))
  return read.value
}

function refused(read: ReturnType<typeof readChat>): RequestRefusal & { reason: 'request_malformed' } {
  if (read.ok || read.error.reason !== 'request_malformed') throw new Error('it was accepted')
  return read.error
}

describe('a wrong request is refused with the parameter and what to do about it', () => {
  test.each<[object, string]>([
    [{ messages: [message] }, 'model'],
    [{ ...chat, model: '' }, 'model'],
    [{ ...chat, model: 7 }, 'model'],
    [{ ...chat, model: 'x'.repeat(201) }, 'model'],
    [{ model: 'scribe' }, 'messages'],
    [{ ...chat, messages: [] }, 'messages'],
    [{ ...chat, messages: 'hello' }, 'messages'],
    [{ ...chat, messages: ['hello'] }, 'messages[0]'],
    [{ ...chat, messages: [message, { content: 'x' }] }, 'messages[1].role'],
    [{ ...chat, messages: [message, { role: 3, content: 'x' }] }, 'messages[1].role'],
    [{ ...chat, messages: Array.from({ length: 10_001 }, () => message) }, 'messages'],
    [{ ...chat, stream: 'yes' }, 'stream'],
    [{ ...chat, stream_options: true }, 'stream_options'],
    [{ ...chat, stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
    [{ ...chat, max_tokens: 0 }, 'max_tokens'],
    [{ ...chat, max_tokens: -5 }, 'max_tokens'],
    [{ ...chat, max_tokens: 1.5 }, 'max_tokens'],
    [{ ...chat, max_tokens: '5' }, 'max_tokens'],
    [{ ...chat, max_tokens: 10_000_001 }, 'max_tokens'],
    [{ ...chat, max_completion_tokens: 0 }, 'max_completion_tokens'],
    [{ ...chat, n: 0 }, 'n'],
    [{ ...chat, n: 129 }, 'n'],
    [{ ...chat, store: true }, 'store'],
    [{ ...chat, store: 'true' }, 'store'],
    [{ ...chat, web_search_options: {} }, 'web_search_options'],
    [{ ...chat, user: 7 }, 'user'],
    [{ ...chat, user: 'x'.repeat(1025) }, 'user'],
    [{ ...chat, safety_identifier: [] }, 'safety_identifier'],
    [{ ...chat, prompt_cache_key: {} }, 'prompt_cache_key'],
    [{ ...chat, prompt_cache_retention: 24 }, 'prompt_cache_retention'],
  ])('chat: %j', (request, param) => {
    const refusal = refused(readChat(JSON.stringify(request)))
    expect(refusal.param).toBe(param)
    expect(refusal.message).toContain(`\`${param}\``)
    expect(refusal.message.length).toBeLessThan(250)
  })

  test.each<[object, string]>([
    [{ input: 'x' }, 'model'],
    [{ model: 'scribe' }, 'input'],
    [{ model: 'scribe', input: '' }, 'input'],
    [{ model: 'scribe', input: [] }, 'input'],
    [{ model: 'scribe', input: 7 }, 'input'],
    [{ model: 'scribe', input: Array.from({ length: 2049 }, () => 'x') }, 'input'],
    [{ model: 'scribe', input: 'x', user: 7 }, 'user'],
  ])('embeddings: %j', (request, param) => {
    expect(refused(readEmbeddings(JSON.stringify(request)))).toMatchObject({ param })
  })

  test.each<[object, string]>([
    [{}, 'inputs'],
    [{ inputs: [] }, 'inputs'],
    [{ inputs: [{ ...tensor, shape: [-1] }] }, 'inputs[0].shape[0]'],
    [{ inputs: [tensor, { ...tensor, name: 1 }] }, 'inputs[1].name'],
    [{ inputs: [{ ...tensor, datatype: 'x'.repeat(17) }] }, 'inputs[0].datatype'],
    [{ inputs: [{ ...tensor, shape: Array.from({ length: 17 }, () => 1) }] }, 'inputs[0].shape'],
    [{ inputs: Array.from({ length: 1001 }, () => tensor) }, 'inputs'],
  ])('inference: %j', (request, param) => {
    expect(refused(readInfer('ecg')(JSON.stringify(request)))).toMatchObject({ param })
  })

  test.each(['', ' ', 'null', '7', '"model"', '[]', '[{"model":"scribe"}]'])('%j is not one object', (text) => {
    expect(refused(readChat(text))).toMatchObject({ param: undefined })
    expect(refused(readChat(text)).message).toContain('JSON object')
  })

  test.each([
    '{',
    '{"model":"scribe",}',
    "{'model':'scribe'}",
    '{"model":"a"} {"model":"b"}',
    '{"model":NaN}',
    '{"a":01}',
    '\u0000{}',
  ])('%j is not JSON', (text) => {
    expect(refused(readChat(text)).message).toContain('not valid JSON')
  })

  test('what cannot be parsed is not repeated: it may be a prompt', () => {
    const refusal = refused(readChat('{"model":"scribe","messages":[{"role":"user","content":"prompt-canary'))
    expect(JSON.stringify(refusal)).not.toContain('canary')
  })

  test('a name that stands twice is refused in any form, and named in no more than a line', () => {
    const twice = '{"model":"scribe","messages":[{"role":"user","content":"a"}],"m\\u006fdel":"other"}'
    expect(refused(readChat(twice))).toMatchObject({ param: 'model' })
    const long = JSON.stringify('n'.repeat(100_000))
    const refusal = refused(
      readChat(`{"model":"scribe","messages":[{"role":"user","content":"a"}],${long}:1,${long}:2}`),
    )
    expect(JSON.stringify(refusal).length).toBeLessThan(400)
  })

  test('brackets without end are refused, not followed', () => {
    refused(readChat('['.repeat(1_000_000)))
    const deep = `{"model":"scribe","messages":[{"role":"user","content":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`
    expect(accepted(readChat(deep)).model).toBe('scribe')
  })
})

describe('a name that the parser of the platform misreads (nodejs/node#63785) hides nothing from the gates', () => {
  /** A shape of object that no other test sends: what V8 expects next depends on what came before. */
  const withName = (shape: string, name: string, value: string) =>
    `{"model":"scribe","messages":[{"role":"user","content":"a"}],"${shape}":1,"${name}":${value}}`
  const messages = (inside: string) => `{"model":"scribe","messages":[{"role":"user",${inside}}]}`

  const bodyFor = (request: ModelRequest): string => request.bodyFor(changes)
  /** The request that hides a name, what must have been sent before it, and how the gates show that they see it. */
  const hiding: {
    name: string
    before: string
    request: string
    isSeen: (read: ReturnType<typeof readChat>) => boolean
  }[] = [
    {
      name: 'n',
      before: withName('only-n', '\\\\', '1'),
      request: withName('only-n', '\\u006e', '128'),
      isSeen: (read) => read.ok && read.value.measured.choices === 128,
    },
    {
      name: 'store',
      before: withName('only-store', 'st\\\\u0', '1'),
      request: withName('only-store', 'st\\u006fre', 'true'),
      isSeen: (read) => !read.ok,
    },
    {
      name: 'user',
      before: withName('only-user', 'us\\\\u', '1'),
      request: withName('only-user', 'us\\u0065r', '"mrn-4711"'),
      isSeen: (read) => read.ok && !bodyFor(read.value).includes('4711'),
    },
    {
      name: 'a second cap',
      before: withName('only-cap', 'm\\\\u0061x_completion_t', '1'),
      request: withName('only-cap', 'm\\u0061x_completion_tokens', '100000'),
      isSeen: (read) => read.ok && !bodyFor(read.value).includes('100000'),
    },
    {
      name: 'a second content',
      before: messages('"content":"a","conte\\\\u":1'),
      request: messages('"content":"a","conte\\u006et":[{"type":"image_url"}]'),
      isSeen: (read) => read.ok && read.value.measured.beyondText,
    },
    {
      name: 'the type of a part',
      before: messages('"content":[{"text":"a","typ\\\\":1}]'),
      request: messages('"content":[{"text":"a","typ\\u0065":"image_url"}]'),
      isSeen: (read) => read.ok && read.value.measured.beyondText,
    },
  ]
  test.each(hiding)('$name', ({ before, request, isSeen }) => {
    for (let time = 0; time < 5; time++) readChat(before)
    const read = readChat(request)
    // Where the platform reads it rightly the gates see it; where it does not, it is refused.
    if (!isSeen(read)) expect(refused(read).message).toContain('backslash')
  })

  test('and a name with a backslash may stand where the gates do not read, such as in a schema', () => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: { patternProperties: { '^\\d+$': {} } } } }]
    expect(accepted(readChat(JSON.stringify({ ...chat, tools }))).bodyFor(changes)).toContain('patternProperties')
  })
})

describe('what the gates read of a chat', () => {
  const measured = (more: object) => accepted(readChat(JSON.stringify({ ...chat, ...more }))).measured

  test('its length in bytes of UTF-8, not in characters', () => {
    const text = JSON.stringify({ ...chat, messages: [{ role: 'user', content: '漢字😀' }] })
    expect(accepted(readChat(text)).measured.bytes).toBe(new TextEncoder().encode(text).length)
  })

  test('the smaller of the two caps, when any is named', () => {
    expect(measured({})).toMatchObject({ outputTokensNamed: undefined, choices: 1 })
    expect(measured({ max_tokens: 5 })).toMatchObject({ outputTokensNamed: 5 })
    expect(measured({ max_completion_tokens: 7 })).toMatchObject({ outputTokensNamed: 7 })
    expect(measured({ max_tokens: 5, max_completion_tokens: 7 })).toMatchObject({ outputTokensNamed: 5 })
    expect(measured({ max_tokens: null, n: 3 })).toMatchObject({ outputTokensNamed: undefined, choices: 3 })
  })

  test.each([
    ['text', 'hello', false],
    ['no content', null, false],
    ['parts of text', [{ type: 'text', text: 'a' }], false],
    ['a refusal', [{ type: 'refusal', refusal: 'a' }], false],
    [
      'an image by its address',
      [
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { url: 'https://x.example/1' } },
      ],
      true,
    ],
    ['a sound', [{ type: 'input_audio', input_audio: {} }], true],
    ['a part of a kind that nobody knows yet', [{ type: 'hologram' }], true],
  ])('whether its bytes bound its tokens: %s', (_, content, beyondText) => {
    expect(measured({ messages: [{ role: 'user', content }] })).toMatchObject({ beyondText })
  })

  test('its stream and whether usage was asked for', () => {
    expect(accepted(readChat(JSON.stringify({ ...chat, stream: true })))).toMatchObject({
      streamed: true,
      wantsUsage: false,
    })
    const asked = { ...chat, stream: true, stream_options: { include_usage: true } }
    expect(accepted(readChat(JSON.stringify(asked)))).toMatchObject({ streamed: true, wantsUsage: true })
  })

  test('nothing that stands in a prototype', () => {
    const text = `{"model":"scribe","messages":[{"role":"user","content":"a"}],"__proto__":{"stream":true,"n":5,"max_tokens":1}}`
    const request = accepted(readChat(text))
    expect(request).toMatchObject({ streamed: false, measured: { choices: 1, outputTokensNamed: undefined } })
  })
})

describe('the body for the host', () => {
  const bodyOf = (more: object) => {
    const text = JSON.stringify({ ...chat, ...more })
    return JSON.parse(accepted(readChat(text)).bodyFor(changes))
  }

  test('has the name of the model there and a cap, whatever the caller named', () => {
    expect(bodyOf({})).toEqual({ ...chat, model: 'up', max_tokens: 99 })
    expect(bodyOf({ max_tokens: 500 })).toEqual({ ...chat, model: 'up', max_tokens: 99 })
    expect(bodyOf({ max_completion_tokens: 500 })).toEqual({ ...chat, model: 'up', max_completion_tokens: 99 })
    expect(bodyOf({ max_tokens: null })).toEqual({ ...chat, model: 'up', max_tokens: 99 })
    expect(bodyOf({ max_completion_tokens: null })).toMatchObject({ max_tokens: 99 })
  })

  test('asks for usage in a stream, and only there', () => {
    expect(bodyOf({ stream: true })).toMatchObject({ stream_options: { include_usage: true } })
    expect(bodyOf({ stream: true, stream_options: { include_usage: false, x: 1 } })).toMatchObject({
      stream_options: { include_usage: true, x: 1 },
    })
    expect(bodyOf({ stream: true, stream_options: null })).toMatchObject({ stream_options: { include_usage: true } })
    expect(bodyOf({ stream: false })).not.toHaveProperty('stream_options')
  })

  test('names nobody: user, safety identifier and cache key are pseudonyms, retention stays in memory', () => {
    const named = { user: 'a', safety_identifier: 'ab', prompt_cache_key: 'abc', prompt_cache_retention: '24h' }
    expect(bodyOf(named)).toMatchObject({
      user: 'p(1)',
      safety_identifier: 'p(2)',
      prompt_cache_key: 'p(3)',
      prompt_cache_retention: 'in_memory',
    })
    expect(bodyOf({ user: '' })).toMatchObject({ user: 'p(0)' })
    expect(bodyOf({ user: null })).toMatchObject({ user: null })
  })

  test('can be made again for another deployment', () => {
    const request = accepted(readChat(JSON.stringify(chat)))
    const first = request.bodyFor(changes)
    expect(request.bodyFor({ ...changes, upstreamModel: 'other' })).toBe(first.replace('"up"', '"other"'))
    expect(request.bodyFor(changes)).toBe(first)
  })

  test('of embeddings has the model and the pseudonym; of an inference it is the text as it came', () => {
    const embeddings = accepted(readEmbeddings('{"input":["a","b"] ,"model":"scribe","user":"x"}'))
    expect(embeddings.bodyFor(changes)).toBe('{"input":["a","b"] ,"model":"up","user":"p(1)"}')
    expect(embeddings.measured).toMatchObject({ inputs: 2, choices: 1 })
    expect(accepted(readEmbeddings('{"input":[1,2,3],"model":"scribe"}')).measured.inputs).toBe(1)
    expect(accepted(readEmbeddings('{"input":[[1],[2]],"model":"scribe"}')).measured.inputs).toBe(2)
    const text = `{"inputs":[${JSON.stringify(tensor)}], "parameters":{"x":0.10}}`
    expect(accepted(readInfer('ecg')(text)).bodyFor(changes)).toBe(text)
  })
})
