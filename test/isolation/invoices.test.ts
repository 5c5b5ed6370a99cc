import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { creditInvoice } from '../../src/billing/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { closeMonth, declareAt, look, use } from '../billing/month.ts'
import { openHouse, tester, type House } from '../support/house.ts'

let house: House
const lakesides: string[] = []
let prairies = ''

const payers = {
  'lakeside/tenant.yaml': (text: string) => text.replace('scopes: [infer] }', 'scopes: [infer, invoices] }'),
  'prairie/tenant.yaml': (text: string) => text.replace('scopes: [chat] }', 'scopes: [chat, invoices] }'),
}

beforeAll(async () => {
  house = await openHouse({ declared: (database) => declareAt(database, '2026-09-01T00:00:00Z', payers) })
  const { database } = house
  await use(database, [{ at: '2026-09-05T00:00:00Z', input: 1_000_000, output: 7 }])
  await use(database, [{ at: '2026-10-05T00:00:00Z', input: 2_000_000, facility: 'north' }])
  await use(database, [{ at: '2026-09-05T00:00:00Z', input: 3_000_000, facility: 'only' }], 'LIC-PRAIRIE')
  lakesides.push(await issued('2026-09', 'LIC-LAKESIDE'), await issued('2026-10', 'LIC-LAKESIDE'))
  prairies = await issued('2026-09', 'LIC-PRAIRIE')
})
afterAll(() => house.stop())

async function issued(month: string, license: string): Promise<string> {
  const closed = await closeMonth(house.database, month, { license })
  if (!closed.ok || closed.value.invoice === undefined) throw new Error(`${license} has no invoice of ${month}`)
  return closed.value.invoice
}

const List = z.object({
  data: z.array(z.looseObject({ number: z.string(), month: z.string(), state: z.string(), total: z.string() })),
  has_more: z.boolean(),
  next_after: z.string().nullable(),
})

async function ask(path: string, application = 'lakeside/reader', accept?: string) {
  const response = await fetch(house.url + path, {
    headers: {
      authorization: `Bearer ${await house.key(application)}`,
      ...(accept === undefined ? {} : { accept }),
    },
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}
const list = async (path: string, application?: string) => List.parse(JSON.parse((await ask(path, application)).text))

test('a tenant reads its own invoices and no other’s', async () => {
  const own = await list('/v1/invoices')
  expect(own.data.map(({ number }) => number)).toEqual(lakesides.toReversed())
  expect((await list('/v1/invoices', 'prairie/trial')).data.map(({ number }) => number)).toEqual([prairies])
  const anothers = await ask(`/v1/invoices/${prairies}`)
  const nobodys = await ask('/v1/invoices/INV-999999')
  const without = (text: string) => text.replaceAll(/req_\w+/g, 'req')
  expect([anothers.status, without(anothers.text)]).toEqual([404, without(nobodys.text)])
  expect((await ask(`/v1/invoices/${lakesides[0]}`, 'prairie/trial')).status).toBe(404)
})

test('a key that calls models reads no invoice, unless it was given that too', async () => {
  for (const path of ['/v1/invoices', `/v1/invoices/${lakesides[0]}`]) {
    const refused = await ask(path, 'lakeside/portal')
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('may not be used for invoices')])
  }
})

test('page by page they are the list read at once', async () => {
  const whole = await list('/v1/invoices')
  const first = await list('/v1/invoices?limit=1')
  const rest = await list(`/v1/invoices?limit=1&after=${first.next_after}`)
  expect([first.has_more, rest.has_more, rest.next_after]).toEqual([true, false, null])
  expect([...first.data, ...rest.data]).toEqual(whole.data)
  // A cursor of another tenant's page shows where in time to go on, and nothing more.
  const theirs = await list(`/v1/invoices?after=${first.next_after}`, 'prairie/trial')
  expect(theirs.data.every(({ number }) => number === prairies)).toBe(true)
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'after=x', 'after=1.INV-1'])
    expect((await ask(`/v1/invoices?${query}`)).status).toBe(400)
})

test('an invoice comes in the form that Accept prefers, and is the text that was issued', async () => {
  const path = `/v1/invoices/${lakesides[0]}`
  const { rows } = await house.database.systemPool.query<{ document: string; sha256: string }>(
    `select document, encode(document_sha256, 'hex') as sha256 from invoice where number = $1`,
    [lakesides[0]],
  )
  const type = async (accept?: string) => (await ask(path, undefined, accept)).headers.get('content-type')
  expect((await ask(path)).text).toBe(rows[0]?.document)
  expect(await type('text/csv')).toBe('text/csv; charset=utf-8; header=present')
  expect(await type('text/csv;q=0.5, application/json;q=0.9')).toBe('application/json')
  expect(await type('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8')).toBe('text/html; charset=utf-8')
  expect(await type('application/pdf')).toBe('application/json')
  const page = await ask(path, undefined, 'text/html')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('cache-control')).toBe('no-store')
})

test('what was invoiced is read when the license has ended, and what was taken back is told', async () => {
  await house.database.systemPool.query(
    `insert into license_act (tenant_id, license, act, reason, effective_at, recorded_at, recorded_by)
     select tenant_id, license, 'revoke', 'a test', now(), now(), 'a test' from license where license = 'LIC-PRAIRIE'`,
  )
  const credited = await look(house.database, (tx) =>
    creditInvoice(tx, { number: prairies, reason: 'a test', actor: tester, now: instant(Date.parse('2026-12-03')) }),
  )
  expect(credited.ok).toBe(true)
  const { data } = await list('/v1/invoices', 'prairie/trial')
  expect(data.map(({ state, total }) => [state, total])).toEqual([
    ['credit-note', '-9.00'],
    ['taken-back', '9.00'],
  ])
})
