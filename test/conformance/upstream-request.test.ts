import type OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openHouse, testHostKey, type House } from '../support/house.ts'
import { knownKey } from './known-key.ts'
import { recordingClients, type RecordingClients } from './recording-clients.ts'

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

const Named = z.object({ user: z.string(), safety_identifier: z.string(), prompt_cache_key: z.string() })

/** A cap as a host reads it: null is none. */
const cap = z
  .number()
  .nullish()
  .transform((tokens) => tokens ?? undefined)

/** Sends what the official client would not, and reads the answer to its end. */
async function post(body: object | string): Promise<Response> {
  const response = await clients.fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await knownKey(house, 'lakeside/ehr')}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  await response.arrayBuffer()
  return response
}

const bodyAtHost = (): string => house.host.last()?.body.toString() ?? ''

describe('what reaches the host', () => {
  test('is the request as it was sent, with the name of the model there and a cap; a format for the answer is not touched', async () => {
    const request = {
      messages: [question],
      model: 'scribe',
      response_format: {
        type: 'json_schema' as const,
        json_schema: {
          name: 'triage',
          strict: true,
          schema: { type: 'object', properties: { urgent: { type: 'boolean' } } },
        },
      },
      temperature: 0.2,
    }
    await client.chat.completions.create(request)
    const sent = JSON.stringify(request)
    expect(bodyAtHost()).toBe(`${sent.replace('"scribe"', '"scribe-1"').slice(0, -1)},"max_tokens":1024}`)
  })

  test('keeps every byte of what it does not know: digits, escapes, space, the order of names', async () => {
    const text = (model: string, maxTokens: number) =>
      `{ "zeta" : 0.10,"model":"${model}", "messages" :[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00 é","x_part":[1,2.0,{"b":1E-7,"a":12345678901234567890}]}],\n"max_tokens":${maxTokens} ,"alpha":-0, "__proto__":{"x":1},"dup":{"a":1,"a":2}\t}\n`
    const response = await post(text('scribe', 7))
    expect(response.status).toBe(200)
    expect(bodyAtHost()).toBe(text('scribe-1', 7))
  })

  test.each<[object, { max_tokens?: number; max_completion_tokens?: number }]>([
    [{}, { max_tokens: 1024 }],
    [{ max_tokens: null }, { max_tokens: 1024 }],
    [{ max_tokens: 5 }, { max_tokens: 5 }],
    [{ max_tokens: 5_000 }, { max_tokens: 1024 }],
    [{ max_completion_tokens: 5 }, { max_completion_tokens: 5 }],
    [{ max_completion_tokens: 5_000 }, { max_completion_tokens: 1024 }],
    [
      { max_tokens: 9, max_completion_tokens: 5 },
      { max_tokens: 5, max_completion_tokens: 5 },
    ],
    [
      { max_tokens: 5_000, max_completion_tokens: 9 },
      { max_tokens: 9, max_completion_tokens: 9 },
    ],
    [{ max_tokens: null, max_completion_tokens: 9 }, { max_completion_tokens: 9 }],
  ])('is capped, whatever the caller says: %j goes on as %j', async (said, capped) => {
    for (const stream of [false, true]) {
      await post({ model: 'scribe', messages: [question], stream, ...said })
      const named = z.looseObject({ max_tokens: cap, max_completion_tokens: cap }).parse(JSON.parse(bodyAtHost()))
      const caps = { max_tokens: named.max_tokens, max_completion_tokens: named.max_completion_tokens }
      expect(JSON.parse(JSON.stringify(caps))).toEqual(capped)
    }
  })

  test.each([false, true])(
    'asks for usage in a stream in any case; what else stands in the options goes on (%s)',
    async (asked) => {
      const stream = await client.chat.completions.create({
        model: 'scribe',
        messages: [question],
        stream: true,
        stream_options: { include_obfuscation: false, include_usage: asked },
      })
      for await (const chunk of stream) void chunk
      expect(JSON.parse(bodyAtHost())).toMatchObject({
        stream_options: { include_obfuscation: false, include_usage: true },
      })
    },
  )

  test('names users by pseudonyms: the same for the same user, another in each tenant, never the original', async () => {
    const named = 'mrn-4711-canary@lakeside.example'
    const pseudonymsAs = async (application: string) => {
      const one = await clients.clientOf(application)
      await one.chat.completions.create({
        model: 'scribe',
        messages: [question],
        user: named,
        safety_identifier: named,
        prompt_cache_key: named,
      })
      expect(bodyAtHost()).not.toContain('4711')
      const sent = Named.parse(JSON.parse(bodyAtHost()))
      return [sent.user, sent.safety_identifier, sent.prompt_cache_key]
    }
    const lakeside = await pseudonymsAs('lakeside/ehr')
    expect(await pseudonymsAs('lakeside/ehr')).toEqual(lakeside)
    for (const pseudonym of lakeside) expect(pseudonym).toMatch(/^[0-9a-f]{64}$/)
    const prairie = await pseudonymsAs('prairie/trial')
    for (const pseudonym of prairie) expect(lakeside).not.toContain(pseudonym)
    expect(JSON.stringify(house.host.last()?.headers)).not.toContain('4711')
  })

  test('has the trace context of the caller, and none of its other headers', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const canary = 'caller-header-canary'
    const { request_id: requestId } = await client.chat.completions
      .create(
        { model: 'scribe', messages: [question] },
        {
          headers: {
            traceparent,
            tracestate: 'vendor=1',
            cookie: canary,
            baggage: canary,
            'x-forwarded-for': canary,
            'x-host-knobs': '{"status":500}',
            'formulary-attempt': '9',
            'formulary-tenant': canary,
            'x-tenant-id': canary,
            'openai-organization': canary,
            'x-custom': canary,
          },
        },
      )
      .withResponse()
    const headers = house.host.last()?.headers ?? {}
    expect(headers).toEqual({
      host: new URL(house.host.url).host,
      connection: 'keep-alive',
      'content-length': String(house.host.last()?.body.length),
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'formulary',
      'x-request-id': requestId,
      'formulary-attempt': '1',
      authorization: `Bearer ${testHostKey}`,
      'api-key': testHostKey,
      traceparent,
      tracestate: 'vendor=1',
    })
  })

  test.each([
    'garbage',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
    `00-${'g'.repeat(32)}-${'a'.repeat(16)}-01`,
  ])('has no trace context that is none: %s', async (traceparent) => {
    await client.chat.completions.create({ model: 'scribe', messages: [question] }, { headers: { traceparent } })
    expect(house.host.last()?.headers).not.toHaveProperty('traceparent')
  })
})
