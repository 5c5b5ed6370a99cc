import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createApp, openApiDocument } from '../../src/app.ts'
import { webTransport, type Gateway } from '../../src/gateway/index.ts'
import { untilUnfolded } from '../../src/metering/index.ts'
import { sitesOf, tenantNames, versions } from './declared-world.ts'
import { keyFromByte, mistyped, withWrongSecret } from './impersonate.ts'
import { strangers, type Stranger, type Visit } from './matrix.ts'
import { sendRaw } from './raw-request.ts'
import { chatRoute, routes, type Asked, type Route } from './routes.ts'
import { testHostKey } from '../support/house.ts'
import { openWorld, type KeyName, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

describe('the matrix', () => {
  const named = routes.map(({ name }) => name).toSorted()

  test('has every route of the OpenAPI document, and no other', () => {
    const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    const described = Object.entries(Document.parse(openApiDocument()).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(named).toEqual(described.toSorted())
  })

  test('has every route that is served, described or not', () => {
    // To register its routes an app reads nothing of its gateway; this one is never called.
    const nobodysGateway: Gateway = Object.create(null)
    const { routes: registered } = createApp(nobodysGateway, webTransport)
    const served = registered.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(named).toEqual([...new Set(served)].toSorted())
  })
})

describe.each(strangers)('$who', (stranger) => {
  test.each(routes)('meets what is written for it at $name', async (route) => {
    const expected = stranger.expects[route.kind]
    const isCall = route.kind === 'call' && expected.status === 200
    const before = await whatHappened()
    const { sent, response, text } = await ask(route, stranger.visit(world))
    expect({ status: response.status, ...refusalIn(response, text) }).toEqual({
      status: expected.status,
      code: expected.reasons[0],
      reasons: expected.reasons,
    })
    expect(await whatHappened()).toEqual(isCall ? oneMore(before, stranger) : before)
    expect(leaksIn(stranger, sent, text + JSON.stringify([...response.headers]))).toEqual([])
    if (isCall) expect(strayHeaders()).toEqual([])
  })
})

test('the address in a request does not choose where its call goes', async () => {
  const body = String(chatRoute.request(plainly).body)
  const headers = { authorization: `Bearer ${world.key('mercy')}` }
  const { host } = new URL(world.decoy.url)
  const before = world.house.host.stats().opened
  const whole = await sendRaw(world.url, {
    line: `POST ${world.decoy.url}/v1/chat/completions HTTP/1.1`,
    headers,
    body,
  })
  const named = await sendRaw(world.url, {
    line: 'POST /v1/chat/completions HTTP/1.1',
    headers: { ...headers, host },
    body,
  })
  expect([whole.status, named.status]).toEqual([200, 200])
  expect(world.house.host.stats().opened).toBe(before + 2)
  const noRoute = await sendRaw(world.url, { line: `POST //${host}/v1/chat/completions HTTP/1.1`, headers, body })
  expect(noRoute.status).toBe(404)
  for (const name of ['', 'a@b', `${host}/../..`, `' or '1'='1`]) {
    const line = 'POST /v1/chat/completions HTTP/1.1'
    expect((await sendRaw(world.url, { line, headers: { ...headers, host: name }, body })).status).toBe(400)
  }
})

test('no call went to a host that a caller named', () => {
  expect(world.decoy.connections()).toBe(0)
})

test('to ask for the head alone opens no door', async () => {
  for (const route of routes.filter(({ name }) => name.startsWith('GET '))) {
    const { status } = await fetch(world.url + route.request(plainly).path, { method: 'HEAD' })
    expect(`${route.name} ${status}`).toBe(`${route.name} ${route.kind === 'open' ? 200 : 401}`)
  }
})

test('a key that is mistyped, unknown, wrong or of an ended application gets the same bytes', async () => {
  const key = world.key('mercy')
  const shown = [mistyped(key), keyFromByte(1), withWrongSecret(key), world.key('of an ended application'), 'sk-none']
  const answers = new Set<string>()
  for (const text of shown) {
    const answer = await ask(chatRoute, { authorization: `Bearer ${text}` })
    const requestId = answer.response.headers.get('x-request-id') ?? ''
    const headers = [...answer.response.headers].filter(([name]) => name !== 'date')
    answers.add((answer.text + JSON.stringify(headers)).replaceAll(requestId, 'the request'))
  }
  expect([...answers]).toHaveLength(1)
})

test('what is no route is a 404 for everybody, and says nothing', async () => {
  for (const key of [undefined, world.key('mercy')])
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/v1/chat/completions'],
      ['DELETE', '/v1/usage'],
      ['GET', '/v1/usage/'],
      ['GET', '/v1/tenants'],
      ['GET', '/admin/v1/tenants'],
      ['GET', '/metrics'],
      ['GET', '/v1/models/notes/'],
      ['GET', '/V1/models'],
      ['GET', '//v1/models'],
    ] as const) {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
      const response = await fetch(world.url + path, { method, headers })
      const { code } = refusalIn(response, await response.text())
      expect([path, response.status, code]).toEqual([path, 404, 'not_found'])
    }
})

describe('a refusal tells every reason, the first in its code', () => {
  interface Wrong {
    readonly what: string
    readonly key: KeyName
    readonly headers: Readonly<Record<string, string>>
    readonly asked: Partial<Asked>
    readonly reasons: readonly string[]
  }
  const elsewhere = { 'formulary-facility': sitesOf('suspended').notTheApplications }
  const wrongs: readonly Wrong[] = [
    {
      what: 'suspended, for the wrong audience, from the wrong facility',
      key: 'suspended portal',
      headers: elsewhere,
      asked: { pair: 'cliniciansOnly' },
      reasons: ['license_suspended', 'audience_not_licensed', 'purpose_not_licensed', 'facility_not_covered'],
    },
    {
      what: 'suspended, recalled, for the wrong purpose, from the wrong facility, without the scope',
      key: 'suspended without scopes',
      headers: { ...elsewhere, 'formulary-purpose-of-use': 'HRESCH' },
      asked: { version: versions.recalled },
      reasons: [
        'license_suspended',
        'version_recalled',
        'purpose_not_licensed',
        'facility_not_covered',
        'policy_denied',
      ],
    },
    {
      what: 'in force, out of range, for the wrong purpose, from the wrong facility, without the scope, at the wrong route',
      key: 'without scopes',
      headers: { ...elsewhere, 'formulary-purpose-of-use': 'HRESCH' },
      asked: { version: versions.outOfRange, swapped: true },
      reasons: [
        'version_not_licensed',
        'purpose_not_licensed',
        'facility_not_covered',
        'policy_denied',
        'invalid_request',
      ],
    },
    {
      what: 'suspended, for a model that is not licensed',
      key: 'suspended',
      headers: {},
      asked: { pair: 'theNeighbors' },
      reasons: ['license_suspended', 'model_not_licensed'],
    },
    {
      what: 'in force, in regions that serve nothing, from the wrong facility',
      key: 'abroad',
      headers: elsewhere,
      asked: {},
      reasons: ['facility_not_covered', 'policy_denied'],
    },
  ]
  const deciding = routes.filter(({ kind }) => kind === 'call' || kind === 'predictor')

  describe.each(wrongs)('$what', ({ key, headers, asked, reasons }) => {
    test.each(deciding)('at $name', async (route) => {
      const before = await whatHappened()
      const visit = { authorization: `Bearer ${world.key(key)}`, headers, asked }
      const { response, text } = await ask(route, visit)
      expect(refusalIn(response, text)).toEqual({ code: reasons[0], reasons })
      expect(await whatHappened()).toEqual(before)
    })
  })
})

interface Happened {
  readonly hostCalls: number
  readonly hostRows: number
  /** By tenant. */
  readonly ledgerRows: Readonly<Record<string, number>>
}

/** What calls leave behind at the model host and in the ledger. */
async function whatHappened(): Promise<Happened> {
  await untilUnfolded(world.house.database)
  // One round trip on a connection of the system's, because this is asked twice in each of several hundred tests.
  const { rows } = await world.house.database.systemPool.query<{ tenant_id: string; rows: bigint }>(
    'select tenant_id, count(*) as rows from usage_event group by tenant_id',
  )
  const ledgerRows = Object.fromEntries(rows.map((row) => [row.tenant_id, Number(row.rows)]))
  return { hostCalls: world.house.host.stats().opened, hostRows: world.house.host.usage().length, ledgerRows }
}

/** Exactly one call at the host, and one row, of the tenant whose key it was. */
function oneMore({ hostCalls, hostRows, ledgerRows }: Happened, { of }: Stranger): Happened {
  const tenantId = of === 'nobody' ? of : world.tenantId(of)
  return {
    hostCalls: hostCalls + 1,
    hostRows: hostRows + 1,
    ledgerRows: { ...ledgerRows, [tenantId]: (ledgerRows[tenantId] ?? 0) + 1 },
  }
}

const plainly: Asked = { pair: 'licensed', version: undefined, swapped: false, members: {} }

async function ask(route: Route, visit: Visit): Promise<{ sent: string; response: Response; text: string }> {
  const { path, body } = route.request({ ...plainly, ...visit.asked })
  const query = new URLSearchParams(visit.query).toString()
  const target = query === '' ? path : `${path}?${query}`
  const { authorization } = visit
  const headers = { ...visit.headers, ...(authorization === undefined ? {} : { authorization }) }
  const request = body === undefined ? { headers } : { method: 'POST', headers, body }
  const response = await fetch(world.url + target, request)
  return { sent: target + JSON.stringify(headers) + String(body ?? ''), response, text: await response.text() }
}

const ErrorAnswer = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string(),
    reasons: z.array(z.string()),
    request_id: z.string(),
  }),
})

const OauthError = z.strictObject({ error: z.string(), error_description: z.string() })

function refusalIn(response: Response, text: string): { code: string | undefined; reasons: readonly string[] } {
  if (response.ok) return { code: undefined, reasons: [] }
  const oauth = OauthError.safeParse(JSON.parse(text))
  if (oauth.success) return { code: oauth.data.error, reasons: [oauth.data.error] }
  const { code, reasons, request_id: requestId } = ErrorAnswer.parse(JSON.parse(text)).error
  expect(requestId).toBe(response.headers.get('x-request-id'))
  return { code, reasons }
}

/** What stands in an answer and is not the caller's to read. What the caller has sent itself tells it nothing. */
function leaksIn(stranger: Stranger, sent: string, answer: string): readonly string[] {
  const others = tenantNames.filter((tenant) => tenant !== stranger.of)
  return [...world.insideWords, ...others.flatMap((tenant) => world.secretsOf(tenant))].filter(
    (secret) => answer.includes(secret) && !sent.includes(secret),
  )
}

/** Headers at the model host that the gateway did not make itself: of the caller's only its trace context goes on. */
function strayHeaders(): readonly string[] {
  const last = world.house.host.last()
  const own = new Set([
    'host',
    'connection',
    'content-type',
    'content-length',
    'accept',
    'user-agent',
    'x-request-id',
    'formulary-attempt',
    'authorization',
    'api-key',
  ])
  const names = Object.keys(last?.headers ?? {}).filter((name) => !own.has(name))
  const values = { authorization: last?.headers['authorization'], 'api-key': last?.headers['api-key'] }
  return values.authorization === `Bearer ${testHostKey}` && values['api-key'] === testHostKey
    ? names
    : [...names, JSON.stringify(values)]
}
