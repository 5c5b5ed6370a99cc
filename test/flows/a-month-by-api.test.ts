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

interface Document {
  readonly kind: string
  readonly number: string
  readonly total: string
  readonly lines: readonly { readonly line: number; readonly key: string; readonly amount: string }[]
}
const document = (told: Told) => told.body as unknown as Document

const fetched = async (path: string, token = finance) => {
  const response = await fetch(`${admin.url}/admin/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
  return { type: response.headers.get('content-type'), text: await response.text() }
}

test('an invoice is shown as it was issued, as CSV and as a page, and each line down to its calls', async () => {
  const list = await get('/invoices?license=LIC-LAKESIDE&month=2026-08')
  expect(list.body.data).toEqual([expect.objectContaining({ state: 'issued', month: '2026-08', tenant: 'lakeside' })])
  const { number } = list.body.data[0] as unknown as Document
  const { rows } = await house.database.systemPool.query<{ document: string }>(
    'select document from invoice where number = $1',
    [number],
  )
  expect((await fetched(`/invoices/${number}`)).text).toBe(rows[0]?.document)
  const csv = await fetched(`/invoices/${number}?format=csv`)
  expect([csv.type, csv.text.split('\r\n')[0]?.startsWith('number,line,kind')]).toEqual([
    'text/csv; charset=utf-8; header=present',
    true,
  ])
  expect((await fetched(`/invoices/${number}?format=html`)).text).toContain('<h1>Invoice<small>')

  const line = document(await get(`/invoices/${number}`)).lines.find(({ key }) => key.includes('input_tokens'))?.line
  const first = await get(`/invoices/${number}/lines/${line}?limit=1`)
  const rest = await get(`/invoices/${number}/lines/${line}?limit=1&after=${first.body.next}`)
  const end = await get(`/invoices/${number}/lines/${line}?after=${rest.body.next ?? first.body.next}`)
  expect([body(first)['calls'], body(rest)['calls'], body(rest)['quantity']]).toEqual(['2', '2', '1077777'])
  expect(rest.body.next).toBeNull()
  expect([first, end].flatMap(({ body: { data } }) => data)).toEqual([
    expect.objectContaining({ quantity: '1000000', facility: 'general' }),
    expect.objectContaining({ quantity: '77777', facility: 'north' }),
  ])
  const facilities = document(await get(`/invoices/${number}`)).lines.find(({ key }) => key.includes('facility'))?.line
  expect((await get(`/invoices/${number}/lines/${facilities}`)).status).toBe(404)
})

test('a preview is what the closing then invoices, takes no number and is called what it is', async () => {
  await use(house.database, [
    { at: '2026-09-10T00:00:00Z', input: 2_500_001, output: 1 },
    { at: '2026-09-11T00:00:00Z', model: 'ecg-low-ef', inferences: 3, facility: 'north' },
    // Of August, which is frozen: it counts in September.
    { at: '2026-08-30T00:00:00Z', input: 1_000_000, facility: 'north' },
  ])
  const september = '/licenses/LIC-LAKESIDE/periods/2026-09'
  const previewed = await get(`${september}/preview`)
  const preview = document(previewed)
  expect([preview.kind, preview.number, body(previewed)['earlier_open']]).toEqual(['preview', 'PREVIEW', []])
  expect(preview.lines.some(({ key }) => key.startsWith('correction/2026-08'))).toBe(true)
  const page = (await fetched(`${september}/preview?format=html`)).text
  expect(page).toContain('This is no invoice, and nothing is owed on it.')
  // October stands behind an open month: late rows are September's, and it says what it does not know.
  expect(body(await get('/licenses/LIC-LAKESIDE/periods/2026-10/preview'))['earlier_open']).toEqual(['2026-09'])

  const closed = await post(`${september}/close`, {
    body: { explain: { 'calls-known': 'the host has no record of it' } },
    ifMatch: '*',
  })
  const invoice = document(await get(`/invoices/${String(body(closed)['invoice'])}`))
  expect(preview.lines.map(({ key, amount }) => [key, amount])).toEqual(
    invoice.lines.map(({ key, amount }) => [key, amount]),
  )
  expect(preview.total).toBe(invoice.total)
  expect((await get(`${september}/preview`)).body.reason).toBe('period_closed')
})

test('a tenant’s administrator previews its own month, and reads no other’s invoice', async () => {
  const own = await get('/licenses/LIC-PRAIRIE/periods/2026-08/preview', prairie)
  expect([own.status, document(own).kind]).toEqual([200, 'preview'])
  expect((await get('/licenses/LIC-LAKESIDE/periods/2026-10/preview', prairie)).status).toBe(404)
  expect((await get('/invoices', prairie)).body.data).toEqual([])
  expect((await get('/invoices/INV-000001', prairie)).status).toBe(404)
  expect((await get('/invoices/INV-000001/lines/1', prairie)).status).toBe(404)
})

test('an invoice is taken back once, and the journal has both sides of everything', async () => {
  const reason = { reason: 'billed to the wrong license' }
  const credited = await post('/invoices/INV-000001/credit', { body: reason, idempotencyKey: 'credit one' })
  expect(credited.status).toBe(201)
  const note = String(body(credited)['credit_note'])
  expect(body(await post('/invoices/INV-000001/credit', { body: reason, idempotencyKey: 'credit one' }))).toEqual(
    credited.body,
  )
  expect((await post('/invoices/INV-000001/credit', { body: reason })).body.reason).toBe('invoice_credited')

  const entries = await get('/journal?month=2026-08&license=LIC-LAKESIDE')
  const data = entries.body.data as unknown as readonly { document: string; reverses: string; entry: string }[]
  expect(data.map(({ document: of }) => of)).toEqual(['INV-000001', note])
  expect(data[1]?.reverses).toBe(data[0]?.entry)
  expect((await get('/journal?limit=1')).body.next).not.toBeNull()
  const sums = (await get('/journal/sums?month=2026-08')).body.data as unknown as readonly Record<string, string>[]
  expect(sums.length).toBeGreaterThan(1)
  expect(sums.every(({ debits, credits }) => debits === credits)).toBe(true)
  const revenue = (await get('/journal/sums?account=revenue')).body.data as unknown as readonly Record<string, string>[]
  expect(new Set(revenue.map(({ account }) => account))).toEqual(new Set(['revenue']))
})
