import { expect } from 'vitest'
import { openApiDocument } from '../../src/app.ts'
import { request as httpRequest } from 'node:http'
import { mintApiKey } from '../../src/identity/index.ts'
import { until } from '../support/ledger.ts'
import { bodyBytesMax, type Runtime } from './runtimes.ts'
import type { Seen } from './see.ts'

/** What a caller has received of one request. */
export interface Received {
  /** 0 when the caller left before an answer. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What must be so on every runtime, and be the same on all. */
export interface Case {
  readonly name: string
  play(runtime: Runtime): Promise<readonly Received[]>
  expect(seen: readonly Seen[]): void
}

/** A case of one request. */
const one = (name: string, play: (runtime: Runtime) => Promise<Received>, check: (seen: Seen) => void): Case => ({
  name,
  play: async (runtime) => [await play(runtime)],
  expect(seen) {
    expect(seen).toHaveLength(1)
    for (const only of seen) check(only)
  },
})

export const cases: readonly Case[] = [
  one(
    'a process says that it lives',
    (runtime) => get(runtime, '/healthz'),
    ({ status, body, ledger }) => expect([status, body, ledger]).toEqual([200, '{"status":"alive"}', []]),
  ),
  one(
    'and that it is ready, when it knows the declarations',
    (runtime) => get(runtime, '/readyz'),
    ({ status, body }) => expect([status, body]).toEqual([200, '{"status":"ready"}']),
  ),
  one(
    'the OpenAPI document is the one in the repository',
    (runtime) => get(runtime, '/openapi.json'),
    ({ status, body }) => expect([status, JSON.parse(body)]).toEqual([200, openApiDocument()]),
  ),
  one(
    'a path that does not exist',
    (runtime) => get(runtime, '/v1/nothing'),
    (seen) => expectRefusal(seen, 404, 'not_found'),
  ),
  one(
    'a licensed hospital gets an answer',
    (runtime) => ask(runtime, 'lakeside/ehr', { stream: false }),
    ({ status, headers, body, ledger }) => {
      expect(status).toBe(200)
      expect(headers).toMatchObject({ 'x-request-id': 'req_ID', 'formulary-model-version': 'scribe@1.0.0' })
      expect(JSON.parse(body)).toMatchObject({ usage: { prompt_tokens: expect.any(Number) } })
      const policy = ['licensed-use']
      expect(ledger).toMatchObject([
        { outcome: 'answered', streamed: false, usage_source: 'host', requests: 1, policy },
      ])
    },
  ),
  one(
    'a stream ends with [DONE], without the usage that nobody asked for',
    (runtime) => ask(runtime, 'lakeside/ehr', { stream: true }),
    ({ status, headers, body, ledger }) => {
      expect([status, headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8'])
      expect(body.endsWith('data: [DONE]\n\n')).toBe(true)
      expect(body).not.toContain('"choices":[],')
      expect(ledger).toMatchObject([{ outcome: 'answered', streamed: true, usage_source: 'host' }])
    },
  ),
  one(
    'and with it when somebody asked',
    (runtime) => ask(runtime, 'lakeside/ehr', { stream: true, stream_options: { include_usage: true } }),
    ({ body }) => expect(body).toContain('"choices":[]'),
  ),
  one(
    'a patient reaches the version that patients may',
    (runtime) => ask(runtime, 'lakeside/portal', {}),
    ({ status, ledger }) => {
      expect(status).toBe(200)
      expect(ledger).toMatchObject([{ audience: 'patient', purpose: 'PATRQT', version: '1.0.0' }])
    },
  ),
  one(
    'embeddings',
    (runtime) => post(runtime, '/v1/embeddings', 'lakeside/ehr', { model: 'scribe', input: ['one', 'two'] }),
    ({ status, body, ledger }) => {
      expect(status).toBe(200)
      expect(JSON.parse(body)).toMatchObject({ object: 'list', data: [{ index: 0 }, { index: 1 }] })
      expect(ledger).toMatchObject([{ operation: 'embeddings', outcome: 'answered', output_tokens: 0n }])
    },
  ),
  one(
    'an inference of a predictor',
    (runtime) =>
      post(runtime, '/v2/models/ecg-low-ef/infer', 'lakeside/reader', {
        inputs: [
          { name: 'ecg', shape: [1, 12, 4], datatype: 'FP32', data: Array.from({ length: 48 }, (_, at) => at / 48) },
        ],
      }),
    ({ status, ledger }) => {
      expect(status).toBe(200)
      expect(ledger).toMatchObject([{ operation: 'infer', inferences: 1n, charge_picos: 500_000_000_000n }])
    },
  ),
  one(
    'the models that a caller may use',
    (runtime) => get(runtime, '/v1/models', runtime.key('lakeside/ehr')),
    ({ status, body, ledger }) => {
      expect([status, ledger]).toEqual([200, []])
      expect(JSON.parse(body)).toMatchObject({ data: [{ id: 'scribe', version: '1.0.0' }, { id: 'scribe@1.1.0' }] })
    },
  ),
  one(
    'the keys that documents are signed with are published',
    (runtime) => get(runtime, '/.well-known/jwks.json'),
    ({ status, body }) => {
      expect(status).toBe(200)
      expect(JSON.parse(body)).toMatchObject({ keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' }] })
    },
  ),
  one(
    'no key',
    (runtime) => get(runtime, '/v1/models'),
    (seen) => expectRefusal(seen, 401, 'invalid_api_key'),
  ),
  one(
    'a key that nobody gave out',
    (runtime) => send(runtime, '/v1/chat/completions', unknownKey(), JSON.stringify(chat)),
    (seen) => expectRefusal(seen, 401, 'invalid_api_key'),
  ),
  one(
    'a model that is not licensed',
    (runtime) => ask(runtime, 'prairie/trial', { model: 'ecg-low-ef' }),
    (seen) => expectRefusal(seen, 403, 'model_not_licensed'),
  ),
  one(
    'what a license grants and a policy forbids',
    (runtime) => ask(runtime, 'clinic/bench', { model: 'scribe@1.1.0' }),
    (seen) => {
      expectRefusal(seen, 403, 'policy_denied')
      expect(JSON.parse(seen.body)).toMatchObject({
        error: { reasons: ['policy_denied', 'bench-tests-what-is-new: The bench tests what is new.'] },
      })
    },
  ),
  one(
    'a body that is no JSON',
    (runtime) => send(runtime, '/v1/chat/completions', runtime.key('lakeside/ehr'), '{"model":'),
    (seen) => expectRefusal(seen, 400, 'invalid_request'),
  ),
  one(
    'a body over the limit, announced',
    (runtime) => send(runtime, '/v1/chat/completions', runtime.key('lakeside/ehr'), 'x'.repeat(bodyBytesMax + 1)),
    (seen) => expectRefusal(seen, 413, 'request_too_large'),
  ),
  one(
    'a body over the limit, in pieces',
    (runtime) => send(runtime, '/v1/chat/completions', runtime.key('lakeside/ehr'), inPieces(bodyBytesMax + 1)),
    (seen) => expectRefusal(seen, 413, 'request_too_large'),
  ),
  {
    name: 'a budget of five requests is five requests, whoever comes at once',
    play: (runtime) => askAtOnce(runtime, 'prairie/trial', 8),
    expect(seen) {
      expect(seen.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
      for (const refused of seen.slice(5)) expectRefusal(refused, 429, 'insufficient_quota')
    },
  },
  {
    name: 'a rate of forty a minute is forty calls, although each may come to a gateway of its own',
    play: (runtime) => askAtOnce(runtime, 'clinic/bench', 41),
    expect(seen) {
      expect(seen.map(({ status }) => status)).toEqual([...Array.from({ length: 40 }, () => 200), 429])
      for (const refused of seen.slice(40)) expectRefusal(refused, 429, 'rate_limit_exceeded')
    },
  },
  one(
    'a host that fails is a failed attempt in the ledger, and costs nothing',
    (runtime) => {
      runtime.host.setKnobs({ status: 500 })
      return ask(runtime, 'lakeside/ehr', {})
    },
    (seen) => {
      expect(seen).toMatchObject({
        status: 502,
        ledger: [{ outcome: 'host_error', host_status: 500, charge_picos: 0n }],
      })
      expect(JSON.stringify(seen.body)).not.toContain('inside-words-canary')
    },
  ),
  one(
    'a host that does not answer at all',
    (runtime) => {
      runtime.host.setKnobs({ closeBeforeHeaders: true })
      return ask(runtime, 'lakeside/ehr', {})
    },
    (seen) =>
      expect(seen).toMatchObject({ status: 503, ledger: [{ outcome: 'host_error', host_status: null, requests: 0 }] }),
  ),
  one(
    'a redirect of a host is not followed',
    (runtime) => ask(runtime, 'lakeside/ehr', { model: 'scribe@1.1.0' }),
    ({ status, ledger }) =>
      expect([status, ledger]).toMatchObject([502, [{ outcome: 'host_error', host_status: 302 }]]),
  ),
  one(
    'a stream that breaks off ends with an error in our words, and is charged as far as it came',
    (runtime) => {
      runtime.host.setKnobs({ closeAfterChunks: 3 })
      return ask(runtime, 'lakeside/ehr', { stream: true })
    },
    ({ body, ledger }) => {
      expect(body).toContain('"code":"model_host_error"')
      expect(body).not.toContain('[DONE]')
      expect(ledger).toMatchObject([{ outcome: 'host_closed', usage_source: 'estimated' }])
    },
  ),
  one(
    'a caller who leaves a stream is charged for what was delivered, and holds nothing',
    async (runtime) => {
      runtime.host.setKnobs({ stallAfterChunks: 3 })
      return leaveAfter(runtime, { stream: true }, (text) => text.split('"delta":').length > 3)
    },
    ({ status, ledger }) => {
      expect(status).toBe(200)
      expect(ledger).toMatchObject([{ outcome: 'client_left', usage_source: 'estimated', requests: 1 }])
    },
  ),
  one(
    'a caller who leaves before the answer is charged for the prompt, and holds nothing',
    async (runtime) => {
      runtime.host.setKnobs({ stallBeforeHeaders: true })
      return leaveAfter(runtime, { stream: false }, () => true)
    },
    ({ status, ledger }) => {
      expect(status).toBe(0)
      expect(ledger).toMatchObject([{ outcome: 'client_left', output_tokens: 0n, requests: 1 }])
    },
  ),
]

function expectRefusal(seen: Seen, status: number, code: string): void {
  expect([seen.status, seen.ledger]).toEqual([status, []])
  expect(JSON.parse(seen.body)).toMatchObject({ error: { code, request_id: 'req_ID' } })
}

const get = (runtime: Runtime, path: string, key?: string): Promise<Received> =>
  received(fetch(runtime.url + path, { headers: headersFor(key) }))

const ask = (runtime: Runtime, application: string, wish: object): Promise<Received> =>
  post(runtime, '/v1/chat/completions', application, { ...chat, ...wish })

const chat = { model: 'scribe', max_tokens: 40, messages: [{ role: 'user', content: 'Is this a canary-of-content?' }] }

const post = (runtime: Runtime, path: string, application: string, body: object): Promise<Received> =>
  send(runtime, path, runtime.key(application), JSON.stringify(body))

const send = (runtime: Runtime, path: string, key: string, body: string | ReadableStream): Promise<Received> =>
  received(fetch(runtime.url + path, { method: 'POST', headers: headersFor(key), body, duplex: 'half' }))

/** No compression: what is compared is what the gateway says, not what a proxy before it makes of it. */
const headersFor = (key: string | undefined): Record<string, string> => ({
  'accept-encoding': 'identity',
  'content-type': 'application/json',
  ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
})

async function received(answer: Promise<Response>): Promise<Received> {
  const response = await answer
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
}

/**
 * Asks, and resets the connection when enough has come; if nothing ever does, when the host has the call. Not by closing
 * it: workerd, and any server that has nothing to write, learns of an end only from a reset.
 */
async function leaveAfter(runtime: Runtime, wish: object, isEnough: (text: string) => boolean): Promise<Received> {
  const asking = httpRequest(`${runtime.url}/v1/chat/completions`, {
    method: 'POST',
    headers: headersFor(runtime.key('lakeside/ehr')),
    agent: false,
  })
  asking.on('error', () => {})
  asking.end(JSON.stringify({ ...chat, ...wish }))
  let answer: Received = { status: 0, headers: {}, body: '' }
  asking.on('response', (response) => {
    const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
    answer = { status: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: '' }
    response.on('error', () => {})
    response.setEncoding('utf8').on('data', (text: string) => (answer = { ...answer, body: answer.body + text }))
  })
  await until('the host has the call', 10_000, () => runtime.host.open().length > 0)
  await until('enough has come', 10_000, () => isEnough(answer.body))
  asking.socket?.resetAndDestroy()
  return answer
}

/** Many calls at once, sorted: which of them was first is anybody's guess, and so is what it was told of its rates. */
async function askAtOnce(runtime: Runtime, application: string, calls: number): Promise<readonly Received[]> {
  const outcomes = await Promise.all(Array.from({ length: calls }, () => ask(runtime, application, {})))
  return outcomes.toSorted((a, b) => a.status - b.status).map(withoutRates)
}

const withoutRates = ({ headers, ...rest }: Received): Received => ({
  ...rest,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-ratelimit-'))),
})

/** Well-formed, so that it is looked up. */
const unknownKey = (): string => mintApiKey(crypto.getRandomValues(new Uint8Array(42))).text.reveal()

function inPieces(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close()
      controller.enqueue(new Uint8Array(Math.min(left, 65_536)).fill(120))
      left -= 65_536
    },
  })
}
