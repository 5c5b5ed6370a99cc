import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin, type Admin, type Told } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'
import { declareAt, use } from '../billing/month.ts'

let house: House
let admin: Admin
let finance: string
let second: string
let prairie: string

const fees = {
  'plans/standard.yaml': (text: string) => `${text}  - { meter: facility, per: month, amount: "310.00" }\n`,
}

beforeAll(async () => {
  house = await openHouse({ declared: (database) => declareAt(database, '2026-08-01T00:00:00Z', fees) })
  admin = await openAdmin(house)
  finance = await admin.token({ name: 'Flora', roles: ['finance'] })
  second = await admin.token({ name: 'Gus', roles: ['finance'] })
  prairie = await admin.token({ name: 'Petra of Prairie', roles: ['tenant-admin'], tenant: 'prairie' })
  await use(house.database, [
    { at: '2026-08-05T00:00:00.000Z', input: 1_000_000, output: 33_333 },
    { at: '2026-08-06T00:00:00.123Z', input: 77_777, facility: 'north' },
    { at: '2026-08-07T00:00:00.456Z', model: 'ecg-low-ef', inferences: 4 },
  ])
  await use(house.database, [{ at: '2026-08-05T00:00:00Z', input: 500 }], 'LIC-PRAIRIE')
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

const august = '/licenses/LIC-LAKESIDE/periods/2026-08'
const body = (told: Told) => told.body as unknown as Record<string, never>
const get = (path: string, token = finance) => admin.ask(`GET ${path}`, { token })
const post = (path: string, wish: Omit<Parameters<Admin['ask']>[1], 'token'>, token = finance) =>
  admin.ask(`POST ${path}`, { token, ...wish })

test('a month says what is missing, is closed once, and is what was frozen', async () => {
  const read = await get(august)
  expect(read.status).toBe(200)
  expect(body(read)).toMatchObject({ state: 'open', closings: 0, invoice: null, tenant: 'lakeside' })
  expect(body(read)['checklist']).toContainEqual(expect.objectContaining({ item: 'period-over', state: 'met' }))

  const etag = read.headers.get('etag') ?? ''
  expect((await post(`${august}/close`, { body: {} })).status).toBe(428)
  const closing = { body: {}, ifMatch: etag, idempotencyKey: 'close august' }
  const closed = await post(`${august}/close`, closing)
  expect(closed.status).toBe(201)
  expect(body(closed)).toMatchObject({ state: 'closed', closings: 1, rows: '3', closed_by: 'Flora' })
  const invoice = String(body(closed)['invoice'])

  // The same request sent again has the same answer; another one is too late.
  const again = await post(`${august}/close`, closing)
  expect([again.status, body(again)['invoice']]).toEqual([201, invoice])
  expect((await post(`${august}/close`, { body: {}, ifMatch: etag })).status).toBe(412)
  const late = await post(`${august}/close`, { body: {}, ifMatch: '*' })
  expect([late.status, late.body.reason, body(late)['title']]).toEqual([
    409,
    'period_closed',
    `2026-08 of LIC-LAKESIDE is closed: ${invoice}.`,
  ])

  expect(body(await get(`${august}/verification`))).toMatchObject({
    is_same: true,
    differences: [],
    rows: '3',
    invoice,
  })
})

test('a month that is not ready is refused, item by item; what may be explained is told with its place', async () => {
  await use(house.database, [{ at: '2026-09-05T00:00:00Z', input: 1, outcome: 'expired' }])
  const september = '/licenses/LIC-LAKESIDE/periods/2026-09'
  const refused = await post(`${september}/close`, { body: {}, ifMatch: '*' })
  expect(refused.status).toBe(409)
  expect(refused.body.errors).toEqual([
    expect.objectContaining({ reason: 'period_not_ready', pointer: '/explain/calls-known' }),
  ])
  const wrong = await post(`${september}/close`, { body: { explain: { 'period-over': ' ' } }, ifMatch: '*' })
  expect(wrong.status).toBe(400)
  const explained = await post(`${september}/close`, {
    body: { explain: { 'calls-known': 'the host has no record of it' } },
    ifMatch: '*',
  })
  expect(explained.status).toBe(201)
  expect(body(explained)['checklist']).toContainEqual(
    expect.objectContaining({ item: 'calls-known', state: 'explained', reason: 'the host has no record of it' }),
  )
  const unborn = await get('/licenses/LIC-LAKESIDE/periods/2026-07')
  expect([unborn.status, unborn.body.reason]).toEqual([404, 'period_before_license'])
})

test('opening a month again waits for a second person of finance, who is another', async () => {
  const september = '/licenses/LIC-LAKESIDE/periods/2026-09'
  const asked = await post(`${september}/reopen`, { body: { reason: 'a price was wrong' }, ifMatch: '*' })
  expect(asked.status).toBe(202)
  const approve = `/change-requests/${asked.body.change_request}/approve`
  const approving = { body: { reason: 'read and agreed' } }
  const office = await admin.token({ name: 'Lena', roles: ['licensing'] })
  expect((await post(approve, approving, office)).status).toBe(403)
  expect((await post(approve, approving)).body.reason).toBe('second_person_is_the_first')
  expect((await post(approve, approving, second)).status).toBe(200)
  expect(body(await get(september))).toMatchObject({ state: 'open', closings: 1, invoice: null })
  const entries = await admin.ask('GET /audit?action=period.reopen', {
    token: await admin.token({ name: 'Ada', roles: ['auditor'] }),
  })
  expect(entries.body.data).toEqual([
    expect.objectContaining({ agent: expect.objectContaining({ name: 'Flora' }), approved_by: 'Gus' }),
  ])
  // What cannot be done is refused at once, and asks nobody.
  const before = await post(`${september}/reopen`, { body: { reason: 'again' }, ifMatch: '*' })
  expect([before.status, before.body.reason]).toEqual([409, 'period_not_closed'])
})

test('finance decides on months only, and licenses are not its business', async () => {
  const { body: read } = await get('/licenses/LIC-PRAIRIE', await admin.token({ name: 'Lars', roles: ['licensing'] }))
  const grant = { ...read.grant, rates: { ...read.grant.rates, concurrency: read.grant.rates.concurrency + 1 } }
  const wish = { body: { grant }, ifMatch: '*' }
  const asked = await post(
    '/licenses/LIC-PRAIRIE/amend',
    wish,
    await admin.token({ name: 'Lotte', roles: ['licensing'] }),
  )
  expect(asked.status).toBe(202)
  const approve = `/change-requests/${asked.body.change_request}/approve`
  expect((await post(approve, { body: { reason: 'x' } })).status).toBe(403)
})

test('one month over all licenses is read page by page, and by its state', async () => {
  const first = await get('/periods?month=2026-08&limit=2')
  expect(first.body.data).toHaveLength(2)
  const rest = await get(`/periods?month=2026-08&after=${first.body.next}`)
  const all = [...first.body.data, ...rest.body.data].map((row) => row as unknown as Record<string, string>)
  expect(all.map(({ license }) => license)).toEqual(
    all.map(({ license }) => license ?? '').toSorted((a, b) => (a < b ? -1 : 1)),
  )
  expect(all.find(({ license }) => license === 'LIC-LAKESIDE')).toMatchObject({ state: 'closed', currency: 'USD' })
  const closed = await get('/periods?month=2026-08&state=closed')
  expect(closed.body.data).toHaveLength(1)
  expect((await get('/periods?month=2026-07')).body.data).toEqual([])
})

test('a tenant’s administrator reads its own months, without what the house looks at', async () => {
  const own = await get('/licenses/LIC-PRAIRIE/periods/2026-08', prairie)
  expect([own.status, body(own)['checklist'], body(own)['state']]).toEqual([200, null, 'open'])
  expect((await get(august, prairie)).status).toBe(404)
  expect(((await get('/periods?month=2026-08', prairie)).body.data as readonly object[]).length).toBe(1)
  expect((await post('/licenses/LIC-PRAIRIE/periods/2026-08/close', { body: {}, ifMatch: '*' }, prairie)).status).toBe(
    403,
  )
})
