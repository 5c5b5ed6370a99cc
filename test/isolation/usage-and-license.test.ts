import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openHouse, type House } from '../support/house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse({ environment: { LEASE_SECONDS: '60' } })
  // In turn, so that each tenant has rows before and after those of the other.
  for (let round = 0; round < 3; round++) for (const application of [ours, theirs]) await call(application)
})
afterAll(() => house.stop())

const ours = 'lakeside/ehr'
const theirs = 'prairie/trial'

const Page = z.looseObject({
  data: z.array(z.looseObject({ request_id: z.string(), license: z.string(), started_at: z.string() })),
  has_more: z.boolean(),
  next_after: z.string().nullable(),
})
const Models = z.looseObject({ data: z.array(z.looseObject({ id: z.string(), version: z.string() })) })
const License = z.looseObject({
  license: z.string(),
  tenant: z.string(),
  models: Models.shape.data,
  budgets: z.array(z.looseObject({ used: z.number() })),
})
const Refused = z.object({ error: z.looseObject({ code: z.string(), param: z.string().nullable() }) })

const get = async (application: string, path: string): Promise<Response> =>
  fetch(house.url + path, { headers: { authorization: `Bearer ${await house.key(application)}` } })

async function read<T>(schema: z.ZodType<T>, application: string, path: string): Promise<T> {
  const response = await get(application, path)
  expect(response.status).toBe(200)
  return schema.parse(await response.json())
}

async function call(application: string): Promise<void> {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.key(application)}` },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
  })
  expect(response.status).toBe(200)
  await response.arrayBuffer()
}

describe('the ledger', () => {
  test('shows each tenant all of its own rows, and they have nothing in common', async () => {
    const [mine, others] = await Promise.all([read(Page, ours, '/v1/usage'), read(Page, theirs, '/v1/usage')])
    expect(mine.data.map(({ license }) => license)).toEqual(Array(3).fill('LIC-LAKESIDE'))
    expect(others.data.map(({ license }) => license)).toEqual(Array(3).fill('LIC-PRAIRIE'))
    const requests = new Set([...mine.data, ...others.data].map(({ request_id: requestId }) => requestId))
    expect(requests.size).toBe(6)
  })

  test('read page by page is the ledger read at once', async () => {
    const whole = await read(Page, ours, '/v1/usage')
    const paged: unknown[] = []
    let path = '/v1/usage?limit=1'
    for (let page = 0; page < 4 && path !== ''; page++) {
      const { data, next_after: nextAfter } = await read(Page, ours, path)
      paged.push(...data)
      path = nextAfter === null ? '' : `/v1/usage?limit=1&after=${nextAfter}`
    }
    expect(paged).toEqual(whole.data)
  })

  test('with the cursor of another tenant shows nothing of the other', async () => {
    const whole = await read(Page, ours, '/v1/usage')
    for (const limit of [1, 2]) {
      const { next_after: cursor, data } = await read(Page, theirs, `/v1/usage?limit=${limit}`)
      const last = data.at(-1)?.started_at ?? ''
      const mine = await read(Page, ours, `/v1/usage?after=${cursor}`)
      expect(mine.data).toEqual(whole.data.filter((row) => row.started_at > last))
      expect(mine.data.length).toBe(3 - limit)
      expect(mine.next_after).toBeNull()
    }
  })

  test('with a cursor that names the very row of another tenant does not stand still there', async () => {
    const { next_after: cursor } = await read(Page, theirs, '/v1/usage?limit=1')
    const before = String(cursor).replace(/\.\d+$/, '.0')
    const [mine, same] = [
      await read(Page, ours, `/v1/usage?after=${before}`),
      await read(Page, ours, `/v1/usage?after=${cursor}`),
    ]
    expect(mine.data).toEqual(same.data)
    expect(mine.data).toHaveLength(2)
  })

  const uuid = '01234567-89ab-7cde-8f01-23456789abcd'
  test.each([
    ['from', 'yesterday'],
    ['from', ''],
    ['from', '2026-13-01'],
    ['from', '2026-01-01T00:00:00'],
    ['from', '2026-01-01 00:00:00Z'],
    ['from', '2026-01-01T00:00:00+99:00'],
    ['from', '1767225600000'],
    ['from', '-1'],
    ['from', "2026-01-01' or '1'='1"],
    ['from', '2026-01-01\0'],
    ['from', '2026-01-01\n2026-01-02'],
    ['from', '٢٠٢٦-٠١-٠١'],
    ['from', '1990-01-01'],
    ['from', '2'.repeat(10_000)],
    ['to', 'tomorrow'],
    ['to', 'infinity'],
    ['to', '2000-01-01'],
    ['to', '2026-01-01T00:00:00Z; drop table usage_event'],
    ['limit', '0'],
    ['limit', '-1'],
    ['limit', '1.5'],
    ['limit', '1001'],
    ['limit', 'all'],
    ['limit', ''],
    ['limit', 'NaN'],
    ['limit', 'Infinity'],
    ['limit', '1; drop table usage_event'],
    ['after', ''],
    ['after', 'last'],
    ['after', '..'],
    ['after', `1.${uuid}`],
    ['after', `1.${uuid}.x`],
    ['after', `-1.${uuid}.1`],
    ['after', `1.${uuid.toUpperCase()}.1`],
    ['after', `1.${uuid}'--.1`],
    ['after', `1.${uuid}\0.1`],
    ['after', `${'9'.repeat(16)}.${uuid}.1`],
    ['after', `1.${uuid}.99999`],
  ])('with %s=%j is a 400 that names the parameter', async (name, value) => {
    const query = new URLSearchParams({ [name]: value }).toString()
    const response = await get(ours, `/v1/usage?${query}`)
    expect(response.status).toBe(400)
    expect(Refused.parse(await response.json()).error).toMatchObject({ code: 'invalid_request', param: name })
  })

  test.each([
    ['the beginning of the calendar', 'from=0000-01-01&to=0000-06-01'],
    ['its end', 'from=9999-01-01&to=9999-12-31T23:59:59.999Z'],
    ['a day that no month has', 'from=2026-02-31&to=2026-03-31'],
    ['midnight as 24 o’clock', 'from=2026-02-01T24:00:00Z&to=2026-03-31'],
    ['a cursor in a far future', `after=${'9'.repeat(15)}.${uuid}.9999`],
    ['a cursor before everything', `after=0.${uuid}.0`],
    ['the same parameter twice', 'limit=1&limit=1000'],
    ['parameters that are not there', 'tenant=prairie&tenant_id=*&where=true'],
  ])('with %s is answered, with own rows or none', async (_what, query) => {
    const { data } = await read(Page, ours, `/v1/usage?${query}`)
    expect(data.every(({ license }) => license === 'LIC-LAKESIDE')).toBe(true)
  })
})

describe('a model that is not licensed', () => {
  test.each([
    ['for the tenant', theirs, 'ecg-low-ef'],
    ['for the tenant, by its version', theirs, 'ecg-low-ef@3.0.0'],
    ['for the application’s scopes', ours, 'ecg-low-ef'],
    ['in that version', ours, 'scribe@2.0.0'],
    ['in a version that was recalled', ours, 'scribe@1.2.0'],
    ['for patients', 'lakeside/portal', 'scribe@1.1.0'],
  ])('%s gets the same bytes as one that does not exist', async (_whose, application, name) => {
    const nobodys = 'no-such-model'
    const [real, none] = await Promise.all([answerTo(application, name), answerTo(application, nobodys)])
    expect(real.status).toBe(404)
    expect(real).toEqual(none)
  })

  /** All of an answer but the name that was asked for and what differs between any two answers. */
  async function answerTo(
    application: string,
    name: string,
  ): Promise<{ status: number; body: string; headers: string }> {
    const response = await get(application, `/v1/models/${name}`)
    const plain = (text: string) =>
      text.replaceAll(name, 'the model').replaceAll(response.headers.get('x-request-id') ?? '', 'the request')
    const headers = [...response.headers].filter(([header]) => header !== 'date' && header !== 'content-length')
    return { status: response.status, body: plain(await response.text()), headers: plain(JSON.stringify(headers)) }
  }
})

describe('the list of models', () => {
  test.each([
    ['lakeside/ehr', ['scribe 1.0.0', 'scribe@1.1.0 1.1.0']],
    ['lakeside/reader', ['ecg-low-ef 3.0.0']],
    ['lakeside/portal', ['scribe 1.0.0']],
    ['prairie/trial', ['scribe 1.0.0']],
    ['clinic/bench', ['scribe 2.0.0', 'scribe@1.0.0 1.0.0', 'scribe@1.1.0 1.1.0']],
  ])(
    'of %s has what its license and its application allow, and each of them can be looked up',
    async (whose, listed) => {
      const { data } = await read(Models, whose, '/v1/models')
      expect(data.map(({ id, version }) => `${id} ${version}`)).toEqual(listed)
      for (const model of data)
        expect(await read(Models.shape.data.element, whose, `/v1/models/${model.id}`)).toMatchObject(model)
      const license = await read(License, whose, '/v1/license')
      expect(license.models).toEqual(data)
    },
  )

  test('of a key with fewer scopes has fewer models', async () => {
    const headers = { authorization: `Bearer ${await house.newKey('lakeside/ehr', { scopes: [] })}` }
    const response = await fetch(`${house.url}/v1/models`, { headers })
    expect(Models.parse(await response.json()).data).toEqual([])
  })
})

test('a license is the caller’s own, and its budget counts the caller’s own tokens', async () => {
  for (const [application, tenant, number] of [
    [ours, 'lakeside', 'LIC-LAKESIDE'],
    [theirs, 'prairie', 'LIC-PRAIRIE'],
  ] as const) {
    const license = await read(License, application, '/v1/license')
    expect(license).toMatchObject({ tenant, license: number })
    const { data } = await read(Page, application, '/v1/usage')
    const tokens = data.reduce((sum, row) => sum + Number(row['input_tokens']) + Number(row['output_tokens']), 0)
    expect(license.budgets.map(({ used }) => used)).toEqual([tokens])
  }
})
