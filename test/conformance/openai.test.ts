import OpenAI, { APIError, NotFoundError } from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openHouse, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { awaitRowsOfCall, rowsOfCall } from './call-rows.ts'
import { errorOf, recordingClients, type RecordingClients } from './recording-clients.ts'

const question = { role: 'user', content: 'Chest pain for an hour, what now?' } as const

let house: House
let clients: RecordingClients
let client: OpenAI
beforeAll(async () => {
  house = await openHouse()
  clients = recordingClients(house)
  client = await clients.clientOf('lakeside/ehr')
})
afterAll(() => house.stop())
beforeEach(() => house.host.resetKnobs())
afterEach(() => clients.checkAnswers())

const bodyAtHost = (): string => house.host.last()?.body.toString() ?? ''

describe('an answer', () => {
  test('is read by the official client, with who served it and under which license', async () => {
    const {
      data,
      response,
      request_id: requestId,
    } = await client.chat.completions.create({ model: 'scribe', messages: [question] }).withResponse()
    expect(data.choices[0]?.message.content).toContain('ECG')
    expect(data.usage?.total_tokens).toBeGreaterThan(0)
    expect(requestId).toBe(response.headers.get('x-request-id'))
    expect(response.headers.get('formulary-model-version')).toBe('scribe@1.0.0')
    expect(response.headers.get('formulary-license')).toBe('LIC-LAKESIDE')
    expect(await rowsOfCall(house.database, requestId ?? '')).toMatchObject([
      {
        outcome: 'answered',
        usageSource: 'host',
        inputTokens: data.usage?.prompt_tokens,
        outputTokens: data.usage?.completion_tokens,
      },
    ])
  })

  test.each([{ stream: false as const }, { stream: true as const }])(
    'says what is left of the rates: %j',
    async (how) => {
      const { response } = await client.chat.completions
        .create({ model: 'scribe', messages: [question], ...how })
        .withResponse()
      for (const meter of ['requests', 'tokens']) {
        const limit = Number(response.headers.get(`x-ratelimit-limit-${meter}`))
        const remaining = Number(response.headers.get(`x-ratelimit-remaining-${meter}`))
        expect(limit).toBe(meter === 'requests' ? 1_000_000 : 1_000_000_000)
        expect(remaining).toBeGreaterThan(0)
        expect(remaining).toBeLessThan(limit)
        expect(response.headers.get(`x-ratelimit-reset-${meter}`)).toMatch(/^\d+s$/)
      }
    },
  )

  test('has as many choices as were asked for, and all of them are settled', async () => {
    const { data, request_id: requestId } = await client.chat.completions
      .create({ model: 'scribe', messages: [question], n: 2 })
      .withResponse()
    expect(data.choices.map(({ index }) => index)).toEqual([0, 1])
    const [row] = await rowsOfCall(house.database, requestId ?? '')
    expect(row?.outputTokens).toBe(data.usage?.completion_tokens)
  })
})

describe('a stream', () => {
  test('says what the whole answer says, without the usage chunk that nobody asked for', async () => {
    const whole = await client.chat.completions.create({ model: 'scribe', messages: [question] })
    const stream = await client.chat.completions.create({ model: 'scribe', messages: [question], stream: true })
    let content = ''
    for await (const chunk of stream) {
      expect(chunk.choices).toHaveLength(1)
      content += chunk.choices[0]?.delta.content ?? ''
    }
    expect(content).toBe(whole.choices[0]?.message.content)
  })

  test('ends with one usage chunk for who asked for it', async () => {
    const stream = await client.chat.completions.create({
      model: 'scribe',
      messages: [question],
      stream: true,
      stream_options: { include_usage: true },
    })
    const usages: unknown[] = []
    for await (const chunk of stream) if (chunk.usage) usages.push([chunk.choices, chunk.usage.total_tokens > 0])
    expect(usages).toEqual([[[], true]])
  })

  test('is assembled by the helper of the official client', async () => {
    const completion = await client.chat.completions
      .stream({ model: 'scribe', messages: [question] })
      .finalChatCompletion()
    expect(completion.choices[0]?.finish_reason).toBe('stop')
  })

  test('that its caller aborts ends at the host within a second and is settled once, for what was delivered', async () => {
    house.host.setKnobs({ chunkMs: 20, chunks: 500 })
    const { data: stream, request_id: requestId } = await client.chat.completions
      .create({ model: 'scribe', messages: [question], stream: true })
      .withResponse()
    const leftBefore = house.host.stats().clientLeft
    let pieces = 0
    for await (const chunk of stream) {
      if ((chunk.choices[0]?.delta.content ?? '') !== '') pieces++
      if (pieces === 5) break
    }
    stream.controller.abort()
    await until('the host sees the caller leave', 1_000, () => house.host.stats().clientLeft > leftBefore)
    const rows = await awaitRowsOfCall(house.database, requestId ?? '')
    expect(rows).toMatchObject([{ attempt: 1, outcome: 'client_left', usageSource: 'estimated', requests: 1 }])
    const billed = house.host.usage().find((row) => row.requestId === requestId)
    expect(rows[0]?.outputTokens).toBeGreaterThanOrEqual(pieces)
    // What the estimate may be above the host's own figure: one piece is at most three tokens of four bytes.
    expect(rows[0]?.outputTokens).toBeLessThanOrEqual((billed?.outputTokens ?? 0) * 3)
  })

  test('that fails at the host in the middle is an error for its caller, not an end', async () => {
    house.host.setKnobs({ errorEventAfterChunks: 3 })
    const stream = await client.chat.completions.create({ model: 'scribe', messages: [question], stream: true })
    let pieces = 0
    const read = async () => {
      for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? '') !== '') pieces++
    }
    const error = await errorOf(read())
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: 'model_host_error' })
    expect(pieces).toBe(3)
  })
})

test('a whole answer whose caller leaves ends at the host within a second', async () => {
  house.host.setKnobs({ firstTokenMs: 60_000 })
  const caller = new AbortController()
  const call = errorOf(
    client.chat.completions.create({ model: 'scribe', messages: [question] }, { signal: caller.signal }),
  )
  await until('the host works', 2_000, () => house.host.stats().open === 1)
  const [requestId] = house.host.open()
  caller.abort()
  await until('the host sees the caller leave', 1_000, () => house.host.stats().open === 0)
  await call
  expect(await awaitRowsOfCall(house.database, requestId ?? '')).toMatchObject([
    { outcome: 'client_left', outputTokens: 0 },
  ])
})

describe('tools', () => {
  const tools = [
    {
      type: 'function' as const,
      function: {
        name: 'dose',
        description: 'Doses',
        parameters: { type: 'object', properties: { drug: { type: 'string' } } },
      },
    },
  ]

  test('are called in a whole answer and in a stream alike', async () => {
    const whole = await client.chat.completions.create({
      model: 'scribe',
      messages: [question],
      tools,
      tool_choice: 'required',
    })
    const [call] = whole.choices[0]?.message.tool_calls ?? []
    expect(call).toMatchObject({ type: 'function', function: { name: 'dose' } })
    expect(whole.choices[0]?.finish_reason).toBe('tool_calls')
    const streamed = await client.chat.completions
      .stream({ model: 'scribe', messages: [question], tools, tool_choice: 'required' })
      .finalChatCompletion()
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: 'dose', arguments: call?.type === 'function' ? call.function.arguments : '' },
    })
  })

  test('and their results reach the host as they were written', async () => {
    const messages = [
      question,
      {
        role: 'assistant' as const,
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function' as const, function: { name: 'dose', arguments: '{"drug": "x"}' } },
        ],
      },
      { role: 'tool' as const, tool_call_id: 'call_1', content: '{"mg": 2.50}' },
    ]
    await client.chat.completions.create({ model: 'scribe', messages, tools })
    expect(bodyAtHost()).toContain(`"messages":${JSON.stringify(messages)}`)
    expect(bodyAtHost()).toContain(`"tools":${JSON.stringify(tools)}`)
  })
})

describe('embeddings', () => {
  test('are the same as numbers and as base64', async () => {
    const one = await client.embeddings.create({
      model: 'scribe',
      input: ['chest pain', 'headache'],
      encoding_format: 'float',
    })
    // The client asks for base64 when nobody says otherwise, and decodes it.
    const two = await client.embeddings.create({ model: 'scribe', input: ['chest pain', 'headache'] })
    expect(bodyAtHost()).toContain('"encoding_format":"base64"')
    expect(one.data).toHaveLength(2)
    two.data[1]?.embedding.forEach((value, at) => expect(value).toBeCloseTo(one.data[1]?.embedding[at] ?? 9, 5))
    expect(two.data[0]?.embedding).toHaveLength(384)
  })

  test('are settled for their input', async () => {
    const { data, request_id: requestId } = await client.embeddings
      .create({ model: 'scribe', input: 'chest pain' })
      .withResponse()
    expect(await rowsOfCall(house.database, requestId ?? '')).toMatchObject([
      { outcome: 'answered', usageSource: 'host', inputTokens: data.usage.prompt_tokens, outputTokens: 0 },
    ])
  })
})

test('the models are those of the license, and each can be looked at by its name', async () => {
  const listed: string[] = []
  for await (const model of client.models.list()) listed.push(model.id)
  expect(listed).toContain('scribe')
  expect(listed).toContain('scribe@1.1.0')
  expect(listed).not.toContain('scribe@2.0.0')
  expect(await client.models.retrieve('scribe')).toMatchObject({
    id: 'scribe',
    object: 'model',
    version: '1.0.0',
    owned_by: 'clinic',
  })
  expect(await client.models.retrieve('scribe@1.0.0')).toMatchObject({ id: 'scribe' })
  expect(await errorOf(client.models.retrieve('scribe@2.0.0'))).toBeInstanceOf(NotFoundError)
})
