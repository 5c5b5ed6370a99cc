import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openHouse, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { knownKey } from './known-key.ts'
import { errorOf, recordingClients, type RecordingClients } from './recording-clients.ts'
import { startScriptedHost, type ScriptedHost } from './scripted-host.ts'

const question = { role: 'user', content: 'Chest pain for an hour, what now?' } as const

let house: House
let scripted: ScriptedHost
let clients: RecordingClients
let client: OpenAI
beforeAll(async () => {
  scripted = await startScriptedHost()
  house = await openHouse({
    environment: { FIRST_BYTE_SECONDS: '1', BODY_BYTES_MAX: '200000' },
    // Version 1.1.0 is served by a host that says what a test wants.
    replace: {
      'models/scribe.yaml': (text) =>
        text.replace('MODEL-HOST/v1", model: scribe-1-1', `${scripted.url}/v1", model: scribe-1-1`),
    },
  })
  clients = recordingClients(house, [new URL(scripted.url).host])
  client = await clients.clientOf('lakeside/ehr')
})
afterAll(async () => {
  await house.stop()
  await scripted.stop()
})
beforeEach(() => house.host.resetKnobs())
afterEach(() => clients.checkAnswers())

const chat = (more: object = {}) => client.chat.completions.create({ model: 'scribe', messages: [question], ...more })

describe('a "no" is an error class of the official client', () => {
  const badRequests: [string, object, string][] = [
    ['store', { store: true }, 'store'],
    ['web search', { web_search_options: {} }, 'web_search_options'],
    ['no messages', { messages: [] }, 'messages'],
    ['n too large', { n: 1000 }, 'n'],
    ['a cap that is no number', { max_tokens: 'many' }, 'max_tokens'],
    ['a user that is no text', { user: 7 }, 'user'],
  ]
  test.each(badRequests)('400 for a wrong request: %s', async (_, wrong, param) => {
    const error = await errorOf(chat(wrong))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ status: 400, code: 'invalid_request', type: 'invalid_request_error', param })
  })

  test.each([
    ['cut off', '{"model":"scribe","messages":[{"role":"user","content":"inside'],
    ['no object', '["scribe"]'],
    ['nothing', ''],
    ['a name twice', '{"model":"scribe","messages":[{"role":"user","content":"a"}],"m\\u006fdel":"scribe"}'],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ])('400 for a body that is %s, and the body is not repeated', async (_, body) => {
    const response = await clients.fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await knownKey(house, 'lakeside/ehr')}` },
      body,
    })
    expect(response.status).toBe(400)
    expect(await response.text()).not.toContain('inside')
  })

  test('400 when the host finds the context too long', async () => {
    scripted.answer((_, response) => {
      const error = {
        message: "This model's maximum context length is 8192 tokens. inside-words-canary",
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      }
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
    })
    const error = await errorOf(chat({ model: 'scribe@1.1.0' }))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ code: 'context_length_exceeded', param: 'messages' })
  })

  test.each(['', 'sk-not-ours', 'fml_live_000000000000_0000000000000000000000000000000000000000000000000'])(
    '401 for a key that is none: %j',
    async (key) => {
      const stranger = await clients.clientOf('', key === '' ? 'x' : key)
      const error = await errorOf(stranger.chat.completions.create({ model: 'scribe', messages: [question] }))
      expect(error).toBeInstanceOf(AuthenticationError)
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' })
      expect(await errorOf(stranger.models.retrieve('scribe'))).toBeInstanceOf(AuthenticationError)
    },
  )

  test('403 for what the license does not include, 404 for what does not exist', async () => {
    const denied = await errorOf(chat({ model: 'scribe@2.0.0' }))
    expect(denied).toBeInstanceOf(PermissionDeniedError)
    expect(denied).toMatchObject({ status: 403, code: 'version_not_licensed' })
    expect(await errorOf(chat({ model: 'scribe@1.2.0' }))).toMatchObject({ status: 403, code: 'version_recalled' })
    const unknown = await errorOf(chat({ model: 'nobody' }))
    expect(unknown).toBeInstanceOf(NotFoundError)
    expect(unknown).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
  })

  test('404 for a route that is none', async () => {
    const error = await errorOf(client.get('/nowhere'))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error).toMatchObject({ code: 'not_found' })
  })

  test('413 for a body above the limit, announced or not', async () => {
    const error = await errorOf(chat({ messages: [{ role: 'user', content: 'x'.repeat(200_001) }] }))
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ status: 413, code: 'request_too_large' })
    const unannounced = await clients.fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await knownKey(house, 'lakeside/ehr')}` },
      body: new Blob(['x'.repeat(300_000)]).stream(),
      duplex: 'half',
    })
    expect(unannounced.status).toBe(413)
  })

  const faults: [string, () => void, number, string, string | null][] = [
    ['the host fails', () => house.host.setKnobs({ status: 500 }), 502, 'model_host_error', null],
    ['the host refuses our credential', () => house.host.setKnobs({ status: 401 }), 502, 'model_host_error', null],
    [
      'the host closes the connection',
      () => house.host.setKnobs({ closeBeforeHeaders: true }),
      503,
      'unavailable',
      '5',
    ],
    ['the host is too busy', () => house.host.setKnobs({ status: 429, retryAfterSeconds: 7 }), 503, 'unavailable', '7'],
    ['the host is down', () => house.host.setKnobs({ status: 503, retryAfterSeconds: 7 }), 503, 'unavailable', '7'],
    ['the host is silent', () => house.host.setKnobs({ stallBeforeHeaders: true }), 504, 'model_host_timeout', null],
  ]
  test.each(faults)('when %s', async (_, breakHost, status, code, wait) => {
    breakHost()
    for (const stream of [false, true]) {
      const error = await errorOf(chat({ stream }))
      expect(error).toBeInstanceOf(InternalServerError)
      expect(error).toMatchObject({ status, code, type: 'server_error' })
      const retryAfter = error instanceof APIError ? error.headers?.get('retry-after') : undefined
      expect(retryAfter).toBe(wait)
    }
  })

  test('502 when a host says 200 and its body is an error, or is cut off', async () => {
    for (const fault of [{ errorEventAfterChunks: 0 }, { malformedAfterChunks: 0 }]) {
      house.host.resetKnobs()
      house.host.setKnobs(fault)
      const error = await errorOf(chat())
      expect(error, JSON.stringify(fault)).toBeInstanceOf(InternalServerError)
      expect(error).toMatchObject({ status: 502, code: 'model_host_error' })
    }
    scripted.answer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"error":{"message":"inside-words-canary"}}')
    })
    expect(await errorOf(chat({ model: 'scribe@1.1.0', stream: true }))).toMatchObject({
      status: 502,
      code: 'model_host_error',
    })
  })
})

describe('429', () => {
  let limited: House
  let limitedClients: RecordingClients
  beforeAll(async () => {
    limited = await openHouse({
      replace: {
        'prairie/license.yaml': (text) => text.replace('requestsPerMinute: 1000000', 'requestsPerMinute: 2'),
        'lakeside/license.yaml': (text) => text.replace('concurrency: 10000', 'concurrency: 1'),
        'clinic/license.yaml': (text) =>
          text.replace('budgets: []', 'budgets:\n  - { meter: tokens, limit: 2000, per: month, overage: deny }'),
      },
    })
    limitedClients = recordingClients(limited)
  })
  afterEach(() => limitedClients.checkAnswers())
  afterAll(() => limited.stop())

  const ask = (one: OpenAI) => one.chat.completions.create({ model: 'scribe', messages: [question], max_tokens: 50 })
  const retryAfterOf = (error: unknown): number =>
    Number(error instanceof APIError ? error.headers?.get('retry-after') : undefined)

  test('when the requests of a minute are used up, with the time to wait', async () => {
    const one = await limitedClients.clientOf('prairie/trial')
    await ask(one)
    await ask(one)
    const error = await errorOf(ask(one))
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_error' })
    expect(retryAfterOf(error)).toBeGreaterThan(0)
    expect(retryAfterOf(error)).toBeLessThanOrEqual(60)
  })

  test('when all calls that are allowed at once are in flight, and not a moment longer', async () => {
    const one = await limitedClients.clientOf('lakeside/ehr')
    limited.host.setKnobs({ chunkMs: 20, chunks: 1000 })
    const stream = await one.chat.completions.create({ model: 'scribe', messages: [question], stream: true })
    const error = await errorOf(ask(one))
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error).toMatchObject({ code: 'concurrency_limit_exceeded' })
    expect(retryAfterOf(error)).toBe(1)
    stream.controller.abort()
    limited.host.resetKnobs()
    await until('the place is free again', 5_000, () =>
      ask(one).then(
        () => true,
        () => false,
      ),
    )
  })

  test('when the budget of the period has too little left, and the budget is never overdrawn', async () => {
    const one = await limitedClients.clientOf('clinic/bench')
    let tokens = 0
    const error = await errorOf(
      (async () => {
        for (let call = 0; call < 100; call++) tokens += (await ask(one)).usage?.total_tokens ?? 0
      })(),
    )
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error).toMatchObject({ code: 'insufficient_quota', type: 'insufficient_quota' })
    expect(retryAfterOf(error)).toBeGreaterThan(0)
    expect(tokens).toBeGreaterThan(1_000)
    expect(tokens).toBeLessThanOrEqual(2_000)
  })
})
