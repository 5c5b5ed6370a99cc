import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startModelHost, type ModelHost } from './model-host.ts'

let host: ModelHost
let client: OpenAI

beforeAll(async () => {
  host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
  client = new OpenAI({ baseURL: `${host.url}/v1`, apiKey: 'unused', maxRetries: 0 })
})

afterAll(() => host.stop())

const question = { role: 'user', content: 'Chest pain for an hour, what now?' } as const

test('the official client reads an answer, which is the same each time and says what it is', async () => {
  const one = await client.chat.completions.create({ model: 'm', messages: [question] })
  const two = await client.chat.completions.create({ model: 'm', messages: [question] })
  const content = one.choices[0]?.message.content
  expect(content).toContain('ECG')
  expect(content).toContain('stand-in model')
  expect(two.choices[0]?.message.content).toBe(content)
  expect(one.choices[0]?.finish_reason).toBe('stop')
})

test('a stream says the same as the whole answer, and its usage chunk counts its pieces', async () => {
  const whole = await client.chat.completions.create({ model: 'm', messages: [question] })
  const stream = await client.chat.completions.create({
    model: 'm',
    messages: [question],
    stream: true,
    stream_options: { include_usage: true },
  })
  let content = ''
  let pieces = 0
  let usage: OpenAI.CompletionUsage | null = null
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta.content ?? ''
    content += piece
    if (piece !== '') pieces += 1
    usage = chunk.usage ?? usage
    if (chunk.usage) expect(chunk.choices).toEqual([])
  }
  expect(content).toBe(whole.choices[0]?.message.content)
  expect(usage?.completion_tokens).toBe(pieces)
  expect(usage).toEqual(whole.usage)
})

test('no usage chunk is sent to a stream that did not ask for one', async () => {
  const stream = await client.chat.completions.create({ model: 'm', messages: [question], stream: true })
  for await (const chunk of stream) {
    expect(chunk.choices).toHaveLength(1)
    expect(chunk).not.toHaveProperty('usage')
  }
})

test.each([{ max_tokens: 5 }, { max_completion_tokens: 5 }, { max_tokens: 9, max_completion_tokens: 5 }])(
  'no choice is longer than its cap: %j',
  async (cap) => {
    const answer = await client.chat.completions.create({ model: 'm', messages: [question], n: 3, ...cap })
    expect(answer.choices.map((choice) => choice.finish_reason)).toEqual(['length', 'length', 'length'])
    expect(answer.usage?.completion_tokens).toBe(5 * 3)
    expect(host.usage().at(-1)).toMatchObject({ maxTokens: 5, outputTokens: 15 })
  },
)

const recordVitals: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'record_vitals',
    parameters: {
      type: 'object',
      properties: { patient: { type: 'string' }, pulse: { type: 'integer' }, unit: { enum: ['bpm', 'hz'] } },
      required: ['patient', 'pulse', 'unit'],
    },
  },
}

test('a tool that must be called is called with arguments of its schema, whole and streamed', async () => {
  const asked: OpenAI.ChatCompletionCreateParamsNonStreaming = {
    model: 'm',
    messages: [question],
    tools: [recordVitals],
    tool_choice: 'required',
  }
  const whole = await client.chat.completions.create(asked)
  const call = whole.choices[0]?.message.tool_calls?.[0]
  expect(whole.choices[0]?.finish_reason).toBe('tool_calls')
  expect(call?.type === 'function' && call.function).toEqual({
    name: 'record_vitals',
    arguments: '{"patient":"stand-in","pulse":1,"unit":"bpm"}',
  })

  const runner = client.chat.completions.stream({ ...asked, stream: true })
  const streamed = await runner.finalChatCompletion()
  expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: 'record_vitals' } })
  const [streamedCall] = streamed.choices[0]?.message.tool_calls ?? []
  expect(streamedCall?.type === 'function' && JSON.parse(streamedCall.function.arguments)).toEqual({
    patient: 'stand-in',
    pulse: 1,
    unit: 'bpm',
  })
})

test('a tool is called when the question asks for it, and not again on top of its result', async () => {
  const asks = { role: 'user', content: 'Please call the tool now' } as const
  const first = await client.chat.completions.create({ model: 'm', messages: [asks], tools: [recordVitals] })
  const message = first.choices[0]?.message
  expect(message?.tool_calls).toHaveLength(1)
  const second = await client.chat.completions.create({
    model: 'm',
    messages: [
      asks,
      ...(message === undefined ? [] : [message]),
      { role: 'tool', tool_call_id: message?.tool_calls?.[0]?.id ?? '', content: 'recorded' },
    ],
    tools: [recordVitals],
  })
  expect(second.choices[0]?.finish_reason).toBe('stop')
})

test('embeddings are unit vectors, the same as numbers and as base64, closer for texts with words in common', async () => {
  const input = ['low ejection fraction on the ECG', 'ejection fraction is low', 'metformin dose']
  // The client asks for base64 unless told otherwise, and decodes it.
  const decoded = await client.embeddings.create({ model: 'e', input, dimensions: 256 })
  const plain = await client.embeddings.create({ model: 'e', input, dimensions: 256, encoding_format: 'float' })
  const [a = [], b = [], c = []] = plain.data.map((each) => each.embedding)
  expect(a).toHaveLength(256)
  expect(Math.hypot(...a)).toBeCloseTo(1, 4)
  expect([...(decoded.data[0]?.embedding ?? [])]).toEqual(a.map((value) => Math.fround(value)))
  expect(dot(a, b)).toBeGreaterThan(dot(a, c) + 0.3)
  expect(plain.usage).toEqual({ prompt_tokens: 8 + 6 + 4, total_tokens: 18 })
})

test('models are listed and found', async () => {
  const ids = (await client.models.list()).data.map((model) => model.id)
  expect(ids).toContain('stand-in-clinical')
  expect(await client.models.retrieve('org/stand-in')).toMatchObject({ id: 'org/stand-in', object: 'model' })
})

test('what is not a chat request is refused in words the client understands', async () => {
  const empty = client.chat.completions.create({ model: 'm', messages: [] })
  await expect(empty).rejects.toThrow(OpenAI.BadRequestError)
})

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}
