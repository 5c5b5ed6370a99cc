import pg from 'pg'
import { register } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { assembleGateway, emptyMemory, webTransport } from '../../src/gateway/index.ts'
import { Bug } from '../../src/kernel/index.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { nodeMeter } from '../../src/platform/node/metrics.ts'
import { nodeClock, nodeHmac, nodeRandom } from '../../src/platform/node/ports.ts'
import type { Upstream } from '../../src/routing/index.ts'
import { knownKey } from '../conformance/known-key.ts'
import { callRaw, openRaw, type RawAnswer } from '../conformance/raw-caller.ts'
import { spawnTalkative } from '../conformance/talkative-process.ts'
import { openProxy } from '../conformance/tcp-proxy.ts'
import { dumpDatabase } from '../support/dump-database.ts'
import { foundIn } from '../support/found-in.ts'
import { openHouse, testPepper, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'

/** What must be found nowhere but with the caller and the model host, each in its own words, so that a find says what. */
const canaries = {
  prompt: 'CanaryPromptQ7x1Kd',
  answer: 'CanaryAnswerW3v9Lm',
  toolArguments: 'CanaryToolZ5n2Rt',
  user: 'CanaryUserB8c4Hs',
  header: 'CanaryHeaderM6y0Pf',
  strangersKey: 'CanaryStrangerT1j5Vg',
  modelName: 'CanaryModelC2w8Xq',
  address: 'CanaryAddressF9d3Jb',
  hostCredential: 'CanaryCredentialN4r7Zu',
  hostWords: 'inside-words-canary',
}

const tree = {
  'models/scribe.yaml': (text: string) =>
    // A credential that an operator pasted with its line end cannot be sent as a header.
    text.replace('model: scribe-1-1, region: us-east, weight: 1', '$&, credential: { env: BROKEN_KEY }'),
}
const environment = {
  TEST_HOST_KEY: canaries.hostCredential,
  BROKEN_KEY: `${canaries.hostCredential}\n`,
  FIRST_BYTE_SECONDS: '1',
  BODY_BYTES_MAX: '100000',
}

let house: House
let lines: string[]
/** The key of the doctors' application and the one of the readers', whole and in their secret parts. */
let keys: Readonly<Record<'chat' | 'infer', string>>
let secrets: Readonly<Record<string, string>>
beforeAll(async () => {
  lines = []
  house = await openHouse({
    replace: tree,
    environment,
    log: nodeLog('debug', { write: (line: string) => void lines.push(line) }),
    knobs: { text: `It is ${canaries.answer}, take two.` },
  })
  keys = { chat: await knownKey(house, 'lakeside/ehr'), infer: await knownKey(house, 'lakeside/reader') }
  const secretOf = (key: string) => key.slice(-49)
  secrets = { ...canaries, chatKey: secretOf(keys.chat), inferKey: secretOf(keys.infer) }
})
afterAll(() => house.stop())

interface Spoken {
  readonly step: string
  readonly answer: RawAnswer
  /** The caller reads its own words again: in an answer, or in the name that it asked for. */
  readonly isOwnWords: boolean
}

const chatBody = (more: object = {}): string =>
  JSON.stringify({
    model: 'scribe',
    user: canaries.user,
    safety_identifier: canaries.user,
    prompt_cache_key: canaries.user,
    metadata: { note: canaries.prompt },
    messages: [
      { role: 'system', content: canaries.prompt },
      {
        role: 'user',
        name: 'doctor',
        content: [{ type: 'text', text: `Chest pain. ${canaries.prompt}\n    at ${canaries.prompt}` }],
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'c', type: 'function', function: { name: 'dose', arguments: `{"drug":"${canaries.toolArguments}"}` } },
        ],
      },
      { role: 'tool', tool_call_id: 'c', content: canaries.toolArguments },
      { role: 'user', content: 'And now?' },
    ],
    ...more,
  })

const toolStream = [
  {
    index: 0,
    delta: {
      tool_calls: [{ index: 0, id: 'c', function: { name: 'dose', arguments: `{"d":"${canaries.toolArguments}"}` } }],
    },
    finish_reason: null,
  },
  { index: 0, delta: {}, finish_reason: 'tool_calls' },
]
  .map((choice) => `data: ${JSON.stringify({ choices: [choice] })}\n\n`)
  .concat('data: [DONE]\n\n')

/** Says everything that must not be remembered, in every way in which a call can go. */
async function speak(url: string): Promise<readonly Spoken[]> {
  const spoken: Spoken[] = []
  const send = async (
    step: string,
    wish: {
      path?: string
      method?: string
      body?: string | Uint8Array
      key?: string
      headers?: Record<string, string>
      isOwnWords?: boolean
    },
  ) => {
    const answer = await callRaw({
      url: url + (wish.path ?? '/v1/chat/completions'),
      method: wish.method ?? 'POST',
      headers: {
        authorization: `Bearer ${wish.key ?? keys.chat}`,
        cookie: canaries.header,
        'x-note': canaries.header,
        tracestate: `vendor=${canaries.header}`,
        ...wish.headers,
      },
      ...(wish.body === undefined ? {} : { body: wish.body }),
    })
    spoken.push({ step, answer, isOwnWords: wish.isOwnWords ?? answer.status === 200 })
  }
  const infer = '/v2/models/ecg-low-ef/infer'
  const tensor = JSON.stringify({
    id: canaries.prompt,
    parameters: { note: canaries.prompt },
    inputs: [{ name: 'ecg', shape: [1, 12, 1], datatype: 'FP32', data: Array.from({ length: 12 }, () => 1) }],
  })

  await send('a whole answer', { body: chatBody() })
  await send('a stream', { body: chatBody({ stream: true, stream_options: { include_usage: true } }) })
  house.host.setKnobs({ script: toolStream.map((text) => ({ text })) })
  await send('a tool call in a stream', { body: chatBody({ stream: true }) })
  house.host.resetKnobs()
  await send('embeddings', {
    path: '/v1/embeddings',
    body: JSON.stringify({ model: 'scribe', input: [canaries.prompt], user: canaries.user }),
  })
  await send('a prediction', { path: infer, key: keys.infer, body: tensor })

  for (const stream of [false, true])
    for (const knobs of [
      { status: 500 },
      { status: 400 },
      { status: 401 },
      { status: 429, retryAfterSeconds: 1 },
      { closeBeforeHeaders: true },
      { stallBeforeHeaders: true },
      { errorEventAfterChunks: 2 },
      { closeAfterChunks: 2 },
      { malformedAfterChunks: 2 },
    ]) {
      house.host.setKnobs(knobs)
      await send(`host: ${JSON.stringify(knobs)}, stream: ${stream}`, { body: chatBody({ stream }) })
      house.host.resetKnobs()
    }
  house.host.setKnobs({ status: 500 })
  await send('a prediction that fails', { path: infer, key: keys.infer, body: tensor })
  house.host.resetKnobs()
  await send('a prediction that the host refuses', {
    path: infer,
    key: keys.infer,
    body: tensor.replace('[1,12,1]', '[1,12,2]'),
  })
  await send('a credential that cannot be sent', { body: chatBody({ model: 'scribe@1.1.0' }) })

  await send('JSON that is cut off', { body: chatBody().slice(0, -20) })
  await send('JSON with a comma too many', { body: chatBody().replace('}]', '},]') })
  await send('no JSON', { body: canaries.prompt })
  await send('bytes that are not UTF-8', { body: Buffer.concat([Buffer.from(chatBody()), Buffer.from([0xff, 0xfe])]) })
  await send('a wrong parameter', { body: chatBody({ n: canaries.prompt, stream: canaries.prompt }) })
  await send('what must not be stored', { body: chatBody({ store: true }) })
  await send('too much', { body: canaries.prompt.repeat(10_000) })
  await send('a model that is none', { body: chatBody({ model: canaries.modelName }), isOwnWords: true })
  await send('a facility that is none', {
    body: chatBody(),
    headers: { 'formulary-facility': canaries.address },
    isOwnWords: true,
  })
  await send('a key that is none', { body: chatBody(), key: canaries.strangersKey })
  await send('a key with a slip', {
    body: chatBody(),
    key: `${keys.chat.slice(0, -1)}${keys.chat.endsWith('0') ? '1' : '0'}`,
  })
  await send('a key with another secret', { body: chatBody(), key: keys.chat.slice(0, -49) + keys.infer.slice(-49) })
  await send('no scheme', { body: chatBody(), headers: { authorization: keys.chat } })
  await send('a route that is none', { path: `/v1/${canaries.address}?q=${canaries.address}`, method: 'GET' })
  await send('a period that is none', {
    path: `/v1/usage?from=${canaries.address}&limit=${canaries.address}`,
    method: 'GET',
  })
  await send('a model to look at', { path: `/v1/models/${canaries.modelName}`, method: 'GET', isOwnWords: true })
  await send('the license', { path: '/v1/license', method: 'GET' })
  await send('the usage', { path: '/v1/usage', method: 'GET' })

  for (const stream of [false, true]) {
    house.host.setKnobs({ chunkMs: 50, chunks: 500 })
    const before = house.host.stats().clientLeft
    const leaving = openRaw({
      url: `${url}/v1/chat/completions`,
      headers: { authorization: `Bearer ${keys.chat}` },
      body: chatBody({ stream }),
    })
    await until(
      'the host works',
      5_000,
      () => house.host.stats().open > 0 && (!stream || leaving.received().length > 0),
    )
    leaving.leave()
    await until('the host sees the caller leave', 5_000, () => house.host.stats().clientLeft > before)
    house.host.resetKnobs()
  }
  return spoken
}

/** What the callers themselves may not read: words of the host's inside, credentials, and in a "no" their own content. */
function expectDiscreet(spoken: readonly Spoken[]): void {
  for (const { step, answer, isOwnWords } of spoken) {
    expect(foundIn(JSON.stringify(answer.headers), secrets), `headers after ${step}`).toEqual([])
    const { hostWords, hostCredential, chatKey = '', inferKey = '' } = secrets
    const hidden = isOwnWords
      ? { hostWords: hostWords ?? '', hostCredential: hostCredential ?? '', chatKey, inferKey }
      : secrets
    expect(foundIn(answer.body.toString(), hidden), `body after ${step}`).toEqual([])
  }
}

/** Makes the ledger refuse each batch, with an error that the driver reports in full. */
async function withLedgerBroken(work: () => Promise<void>): Promise<void> {
  const owner = new pg.Client({ connectionString: house.databases.ownerUrl })
  await owner.connect()
  await owner.query('alter table usage_batch add constraint broken_for_a_test check (false) not valid')
  try {
    await work()
  } finally {
    await owner.query('alter table usage_batch drop constraint broken_for_a_test')
    await owner.end()
  }
}

describe('content and secrets', () => {
  let spoken: readonly Spoken[]
  beforeAll(async () => {
    spoken = await speak(house.url)
    await withLedgerBroken(async () => {
      for (const stream of [false, true]) {
        const answer = await callRaw({
          url: `${house.url}/v1/chat/completions`,
          headers: { authorization: `Bearer ${keys.chat}` },
          body: chatBody({ stream }),
        })
        spoken = [...spoken, { step: `a ledger that refuses rows, stream: ${stream}`, answer, isOwnWords: stream }]
      }
    })
  }, 120_000)

  test('were said: they reached the host and came back, or this test would prove nothing', () => {
    expect(house.host.usage().length).toBeGreaterThan(20)
    const said = spoken.filter(({ answer }) => answer.status === 200).map(({ answer }) => answer.body.toString())
    expect(foundIn(said.join(''), canaries)).toEqual(expect.arrayContaining(['answer', 'toolArguments']))
    const statuses = new Set(spoken.map(({ answer }) => answer.status))
    for (const status of [200, 400, 401, 403, 404, 413, 502, 503, 504]) expect([...statuses]).toContain(status)
  })

  test('of others are in no header and in no refusal, and nothing of the host is in an answer', () => {
    expectDiscreet(spoken)
  })

  test('are in no line of the log, however talkative it is', () => {
    const log = lines.join('')
    expect(lines.length).toBeGreaterThan(spoken.length)
    expect(log).toContain('"event":"call"')
    expect(log).toContain('"event":"call.refused"')
    expect(log).toContain('"event":"ledger.write_refused"')
    expect(foundIn(log, secrets)).toEqual([])
  })

  test('are in no figure for operators', async () => {
    const figures = await register.metrics()
    expect(figures).toContain('formulary_calls_total')
    expect(foundIn(figures, secrets)).toEqual([])
  })

  test('are in no column of no table', async () => {
    await until('the calls of those who left are settled', 5_000, async () =>
      (await dumpDatabase(house.databases)).includes('client_left'),
    )
    const dump = await dumpDatabase(house.databases)
    expect(dump).toContain('public.usage_event')
    expect(foundIn(dump, secrets)).toEqual([])
  })

  test('would be found in any of these forms', () => {
    const hidden = `x${canaries.prompt}y`
    for (const wrapped of [
      hidden,
      hidden.toUpperCase(),
      Buffer.from(hidden).toString('hex'),
      Buffer.from(hidden).toString('base64'),
      Buffer.from(`ab${hidden}`).toString('base64url'),
      JSON.stringify(JSON.stringify({ hidden })),
    ])
      expect(foundIn(wrapped, secrets), wrapped).toEqual(['prompt'])
  })
})

describe('a bug that quotes the request it was thrown over', () => {
  const thrown: [string, (body: string) => unknown][] = [
    ['an assertion', (body) => new Bug(`no case for ${body}`)],
    ['an error with a cause', (body) => new Error(body, { cause: new Error(body) })],
    [
      'an error whose name and code are content',
      (body) => Object.assign(new TypeError(body), { detail: body, input: body }),
    ],
    ['a text', (body) => body],
    ['an object', (body) => ({ message: body, body })],
  ]
  test.each(thrown)('shows its caller a request id, and the log where it was thrown: %s', async (_, errorOver) => {
    await throwInside(errorOver)
  })

  test('shows the log no line of its message that looks like a place', async () => {
    await throwInside(() => new Error(`not understood:\n    at ${canaries.prompt}`))
  })
})

/** Lets a bug with this error happen where the model host is called, and looks at everything that comes of it. */
async function throwInside(errorOver: (body: string) => unknown): Promise<void> {
  const written: string[] = []
  const log = nodeLog('debug', { write: (line: string) => void written.push(line) })
  const upstream: Upstream = {
    open(request) {
      throw errorOver(`${request.body ?? ''} ${JSON.stringify(request.headers)}`)
    },
  }
  const deferred: Promise<unknown>[] = []
  const gateway = assembleGateway({
    platform: 'node',
    clock: nodeClock,
    random: nodeRandom,
    hmac: nodeHmac,
    log,
    meter: nodeMeter,
    database: house.database,
    rates: {
      take: ({ limit }) => Promise.resolve({ taken: true, left: limit, endsInMs: 1_000 }),
      giveBack: () => Promise.resolve(),
    },
    upstream,
    deferred: {
      defer: (work) => void deferred.push(work.catch((error: unknown) => log.error('deferred.failed', {}, error))),
    },
    deadlines: { firstByteMs: 1_000, idleMs: 1_000 },
    bodyBytesMax: 100_000,
    leaseSeconds: 2,
    memory: emptyMemory(),
    signingKey: undefined,
    issuer: () => undefined,
    mtlsUrl: () => undefined,
    fetchKeySet: () => Promise.resolve({ ok: false, error: 'unreachable' }),
    staleAfterMs: 10_000,
    pepper: () => new TextEncoder().encode(testPepper),
    credential: () => canaries.hostCredential,
    place: undefined,
    spool: undefined,
    stripe: undefined,
    isStopping: () => false,
    soon: (work) => void setImmediate(work),
  })
  await gateway.directory.refresh()
  await gateway.lender.start({ keepAlive: false })
  const app = createApp(gateway, webTransport)
  const response = await app.request('/v1/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.chat}` },
    body: chatBody(),
  })
  const body = await response.text()
  await Promise.all(deferred)
  await gateway.lender.stop()

  expect(response.status).toBe(500)
  expect(body).toContain(response.headers.get('x-request-id') ?? 'none')
  expect(foundIn(body + JSON.stringify([...response.headers]), secrets)).toEqual([])
  expect(written.join('')).toContain('"event":"call.bug"')
  expect(foundIn(written.join(''), secrets)).toEqual([])
}

describe('a process of its own', () => {
  test('writes none of it to its output, also when its database goes away under a call', async () => {
    const database = await openProxy(new URL(house.databases.appUrl))
    const child = await spawnTalkative(database.url, environment)
    try {
      expectDiscreet(await speak(child.url))
      house.host.setKnobs({ firstTokenMs: 60_000 })
      const call = openRaw({
        url: `${child.url}/v1/chat/completions`,
        headers: { authorization: `Bearer ${keys.chat}` },
        body: chatBody(),
      })
      await until('the host works', 5_000, () => house.host.stats().open > 0)
      database.cut()
      call.leave()
      await until('the call is settled in vain', 5_000, () => /lease.renew_failed|process.bug/.test(child.output()))
      database.mend()
    } finally {
      house.host.resetKnobs()
      await child.stop()
      await database.stop()
    }
    expect(child.output()).toContain('"event":"call"')
    expect(foundIn(child.output(), secrets)).toEqual([])
  }, 120_000)
})
