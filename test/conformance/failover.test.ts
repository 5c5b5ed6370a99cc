import { createServer } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openHouse, testHostKey, type House } from '../support/house.ts'
import { readBudget, until } from '../support/ledger.ts'
import { awaitRowsOfCall, rowsOfCall } from './call-rows.ts'
import { knownKey } from './known-key.ts'
import { callRaw, openRaw } from './raw-caller.ts'
import {
  beginStream,
  contentEvent,
  doneEvent,
  finishEvent,
  startScriptedHost,
  usageEvent,
  type ScriptedHost,
  type Serve,
} from './scripted-host.ts'

let first: ScriptedHost
let second: ScriptedHost
let house: House
let key: string

/** A weight of zero comes last: the order of the two is always the same while both are healthy. */
const deploymentsOf = (version: string, urls: readonly string[], regions: readonly string[] = []): string =>
  urls
    .map(
      (url, index) =>
        `      - { name: d${index}, url: "${url}/v1", model: up-${version}-${index}, region: ${regions[index] ?? 'us-east'}, weight: ${index === 0 ? 1 : 0}${index === 0 ? ', credential: { env: TEST_HOST_KEY }' : ''} }`,
    )
    .join('\n')

beforeAll(async () => {
  first = await startScriptedHost()
  second = await startScriptedHost()
  const closed = `http://127.0.0.1:${await closedPort()}`
  const withDeployments = (text: string, version: string, deployments: string) =>
    text.replace(new RegExp(`(version: ${version}\\n(?:.*\\n)*?    deployments:\\n).*\\n`), `$1${deployments}\n`)
  house = await openHouse({
    environment: { FIRST_BYTE_SECONDS: '1', IDLE_SECONDS: '2' },
    replace: {
      'models/scribe.yaml': (text) =>
        [
          ['1.0.0', deploymentsOf('1.0.0', [first.url, second.url])],
          ['1.1.0', deploymentsOf('1.1.0', [closed, second.url])],
          ['2.0.0', deploymentsOf('2.0.0', [first.url, first.url, first.url, first.url, second.url])],
        ].reduce((tree, [version = '', deployments = '']) => withDeployments(tree, version, deployments), text) +
        `  - version: 1.3.0
    stage: licensed
    limits: { contextTokens: 8192, outputTokens: 1024 }
    deployments:
${deploymentsOf('1.3.0', [first.url, second.url], ['us-east', 'eu-west'])}
`,
    },
  })
  key = await knownKey(house, 'lakeside/ehr')
})
afterAll(async () => {
  await house.stop()
  await first.stop()
  await second.stop()
})

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

const wholeAnswer = JSON.stringify({
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Take two.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 12, completion_tokens: 2, total_tokens: 14 },
})
const streamedAnswer = contentEvent('Take') + contentEvent(' two.') + finishEvent

const answers: Serve = (request, response) => {
  if (request.body.includes('"stream":true')) {
    beginStream(response)
    response.end(streamedAnswer + usageEvent + doneEvent)
  } else response.writeHead(200, { 'content-type': 'application/json' }).end(wholeAnswer)
}
const insideWords = JSON.stringify({ error: { message: 'CUDA out of memory on inside-words-canary.pod-7' } })
const status =
  (code: number, headers: Record<string, string> = {}): Serve =>
  (_, response) =>
    void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(insideWords)
const cutsBeforeTheHead: Serve = (_, response) => void response.destroy()
const cutsAfterTheHead: Serve = (_, response) => {
  beginStream(response)
  // The head leaves with this turn of the event loop, and nothing behind it.
  setImmediate(() => response.destroy())
}
const saysNothing: Serve = () => {}
const saysNothingAfterTheHead: Serve = (_, response) => beginStream(response)

const requestOf = (wish: { stream: boolean; model?: string; key?: string }) => ({
  url: `${house.url}/v1/chat/completions`,
  headers: { authorization: `Bearer ${wish.key ?? key}` },
  body: JSON.stringify({
    model: wish.model ?? 'scribe',
    stream: wish.stream,
    messages: [{ role: 'user', content: 'Chest pain for an hour. '.repeat(10) }],
  }),
})
const ask = (wish: { stream: boolean; model?: string; key?: string }) => callRaw(requestOf(wish))
const codeOf = (body: Buffer) => /"code":"([a-z_]+)"/.exec(body.toString())?.[1]

/** What is held of the budget when no call is in flight: leases come and go, so that use and ledger are compared. */
const usedOfBudget = async () => (await readBudget(house.database, 'tokens-month')).used

beforeEach(async () => {
  // An answer of the first closes its circuit, so that no test inherits the failures of another.
  first.answer(answers)
  second.answer(answers)
  await until('the first deployment answers', 10_000, async () => {
    const before = first.requests.length
    return (await ask({ stream: false })).status === 200 && first.requests.length > before
  })
})

describe.each([{ stream: false }, { stream: true }])('before the first byte, with stream: $stream,', ({ stream }) => {
  test.each<[string, Serve, { outcome: string; hostStatus: number | null }]>([
    ['answers 500', status(500), { outcome: 'host_error', hostStatus: 500 }],
    ['answers 502', status(502), { outcome: 'host_error', hostStatus: 502 }],
    ['answers 503', status(503, { 'retry-after': '7' }), { outcome: 'host_error', hostStatus: 503 }],
    ['is too busy (429)', status(429, { 'retry-after': '7' }), { outcome: 'host_error', hostStatus: 429 }],
    ['does not take our credential (401)', status(401), { outcome: 'host_error', hostStatus: 401 }],
    ['does not know the model (404)', status(404), { outcome: 'host_error', hostStatus: 404 }],
    ['closes the connection', cutsBeforeTheHead, { outcome: 'host_error', hostStatus: null }],
    ['closes it after the head', cutsAfterTheHead, { outcome: 'host_error', hostStatus: 200 }],
    ['is silent', saysNothing, { outcome: 'host_timeout', hostStatus: null }],
    ['is silent after the head', saysNothingAfterTheHead, { outcome: 'host_timeout', hostStatus: 200 }],
  ])('a first deployment that %s is followed by the second, and both stand in the ledger', async (_, fault, row) => {
    first.answer(fault)
    const [before, before2] = [first.requests.length, second.requests.length]
    const answer = await ask({ stream })
    expect(answer.status).toBe(200)
    expect(answer.end).toBe('closed')
    expect(answer.body.toString()).toBe(stream ? streamedAnswer + doneEvent : wholeAnswer)
    expect([first.requests.length - before, second.requests.length - before2]).toEqual([1, 1])

    // All of it stands there before the answer's last byte: nothing is waited for.
    expect(await rowsOfCall(house.database, String(answer.headers['x-request-id']))).toEqual([
      {
        attempt: 1,
        deployment: 'd0',
        ...row,
        usageSource: 'none',
        requests: 0,
        inputTokens: 0,
        outputTokens: 0,
        charge: 0n,
      },
      {
        attempt: 2,
        deployment: 'd1',
        outcome: 'answered',
        hostStatus: 200,
        usageSource: 'host',
        requests: 1,
        inputTokens: 12,
        outputTokens: 2,
        charge: 12n * 3_000_000n + 2n * 15_000_000n,
      },
    ])
  })
})

test('a deployment at which nobody listens is followed by the second, and its attempt has its row', async () => {
  const answer = await ask({ stream: true, model: 'scribe@1.1.0' })
  expect(answer.body.toString()).toBe(streamedAnswer + doneEvent)
  expect(await awaitRowsOfCall(house.database, String(answer.headers['x-request-id']), 2)).toMatchObject([
    { attempt: 1, outcome: 'host_error', hostStatus: null, requests: 0 },
    { attempt: 2, outcome: 'answered', requests: 1 },
  ])
})

test('each deployment is asked in its own name, with its own credential only', async () => {
  first.answer(status(500))
  const answer = await ask({ stream: false })
  const [one, two] = [first.requests.at(-1), second.requests.at(-1)]
  const requestId = answer.headers['x-request-id']
  expect(one?.headers).toMatchObject({ 'x-request-id': requestId, 'formulary-attempt': '1' })
  expect(two?.headers).toMatchObject({ 'x-request-id': requestId, 'formulary-attempt': '2' })
  expect(one?.headers.authorization).toBe(`Bearer ${testHostKey}`)
  expect(JSON.stringify([two?.headers, two?.body.toString()])).not.toContain(testHostKey)
  expect(two?.headers.authorization).toBeUndefined()
  expect(one?.body.toString()).toContain('"model":"up-1.0.0-0"')
  expect(two?.body.toString()).toBe(one?.body.toString().replace('up-1.0.0-0', 'up-1.0.0-1'))
})

test('a redirect is not followed: callers and hosts do not choose where a request goes', async () => {
  const before = second.requests.length
  first.answer(status(307, { location: `${second.url}/v1/elsewhere` }))
  await ask({ stream: false })
  expect(second.requests.slice(before).map(({ path }) => path)).toEqual(['/v1/chat/completions'])
})

test('a stream that breaks off after its first byte is not begun anew', async () => {
  const before = second.requests.length
  first.answer((_, response) => {
    beginStream(response)
    response.write(contentEvent('Take'), () => response.destroy())
  })
  const answer = await ask({ stream: true })
  expect(answer.body.toString().startsWith(contentEvent('Take'))).toBe(true)
  expect(answer.body.toString()).not.toContain('[DONE]')
  expect(codeOf(answer.body)).toBe('model_host_error')
  expect(second.requests.length).toBe(before)
  expect(await rowsOfCall(house.database, String(answer.headers['x-request-id']))).toMatchObject([
    { attempt: 1, outcome: 'host_closed', usageSource: 'estimated', requests: 1 },
  ])
})

test.each([400, 413, 415, 422])(
  'a host that says the request is wrong (%i) is believed: no other is asked',
  async (code) => {
    const before = second.requests.length
    first.answer(status(code))
    const answer = await ask({ stream: true })
    expect(answer.status).toBe(400)
    expect(codeOf(answer.body)).toBe('invalid_request')
    expect(answer.body.toString()).not.toContain('inside-words-canary')
    expect(second.requests.length).toBe(before)
    expect(await awaitRowsOfCall(house.database, String(answer.headers['x-request-id']))).toMatchObject([
      { outcome: 'host_refused', hostStatus: code, requests: 0, charge: 0n },
    ])
  },
)

test.each<[string, Serve, Serve, number, string]>([
  ['500 and 500', status(500), status(500), 502, 'model_host_error'],
  ['500 and 429', status(500), status(429, { 'retry-after': '7' }), 503, 'unavailable'],
  ['500 and silence', status(500), saysNothing, 504, 'model_host_timeout'],
])(
  'when no deployment answers (%s) the last one says why, and nothing of the budget is used',
  async (_, one, two, code, name) => {
    const used = await usedOfBudget()
    first.answer(one)
    second.answer(two)
    const answer = await ask({ stream: true })
    expect(answer.status).toBe(code)
    expect(codeOf(answer.body)).toBe(name)
    expect(answer.body.toString()).not.toContain('inside-words-canary')
    if (code === 503) expect(answer.headers['retry-after']).toBe('7')
    const rows = await awaitRowsOfCall(house.database, String(answer.headers['x-request-id']), 2)
    expect(rows.map(({ requests, charge }) => ({ requests, charge }))).toEqual([
      { requests: 0, charge: 0n },
      { requests: 0, charge: 0n },
    ])
    expect(await usedOfBudget()).toBe(used)
  },
)

test('of many deployments three are tried, and no more', async () => {
  first.answer(status(500))
  const expert = await knownKey(house, 'clinic/bench')
  const before = first.requests.length + second.requests.length
  const answer = await ask({ stream: false, model: 'scribe@2.0.0', key: expert })
  expect(answer.status).toBe(502)
  expect(first.requests.length + second.requests.length - before).toBe(3)
  const rows = await awaitRowsOfCall(house.database, String(answer.headers['x-request-id']), 3)
  expect(rows.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
})

test('a deployment outside the regions of the license is never asked, not even when no other is left', async () => {
  first.answer(status(500))
  const before = second.requests.length
  expect((await ask({ stream: false, model: 'scribe@1.3.0' })).status).toBe(502)
  expect(second.requests.length).toBe(before)
})

test.each([{ stream: false }, { stream: true }])(
  'a caller that leaves while the first deployment works ends the call: no second is asked ($stream)',
  async ({ stream }) => {
    const before = second.requests.length
    let closedAt = Number.POSITIVE_INFINITY
    const asked = new Promise<string>((resolve) => {
      first.answer((request) => {
        void request.closed.then(() => (closedAt = performance.now()))
        resolve(String(request.headers['x-request-id']))
      })
    })
    const call = openRaw(requestOf({ stream }))
    const requestId = await asked
    const leftAt = performance.now()
    call.leave()
    const [row, ...others] = await awaitRowsOfCall(house.database, requestId)
    expect(others).toEqual([])
    // The host has read the prompt and will bill it.
    expect(row).toMatchObject({
      attempt: 1,
      outcome: 'client_left',
      usageSource: 'estimated',
      requests: 1,
      outputTokens: 0,
    })
    expect(row?.inputTokens).toBeGreaterThan(0)
    await until('the host sees it', 1_000, () => closedAt < Number.POSITIVE_INFINITY)
    expect(closedAt - leftAt).toBeLessThan(1_000)
    expect(second.requests.length).toBe(before)
  },
)

test('after five failures in a row a deployment is tried last, and again first once it has answered a probe', async () => {
  const serversOf = async () => {
    const before = [first.requests.length, second.requests.length]
    expect((await ask({ stream: false })).status).toBe(200)
    return [first.requests.length - (before[0] ?? 0), second.requests.length - (before[1] ?? 0)]
  }
  first.answer(status(500))
  for (let failure = 0; failure < 5; failure++) expect(await serversOf()).toEqual([1, 1])
  expect(await serversOf()).toEqual([0, 1])
  expect(await serversOf()).toEqual([0, 1])

  // An open circuit refuses nothing: when the other fails too, the failing one is asked all the same.
  second.answer(status(500))
  first.answer(answers)
  expect(await serversOf()).toEqual([1, 1])
  expect(await serversOf()).toEqual([1, 0])
})
