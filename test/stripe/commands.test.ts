import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStripeSimulator } from '../../infra/stripe-simulator/simulator.ts'
import { main } from '../../src/cli/main.ts'
import { openAdmin, type Admin } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'
import { closeMonth, declareAt, use } from '../billing/month.ts'

let simulator: Awaited<ReturnType<typeof startStripeSimulator>>
let house: House
let admin: Admin
let finance: string
let auditor: string

beforeAll(async () => {
  simulator = await startStripeSimulator({ now: Math.floor(Date.now() / 1000) })
  house = await openHouse({ declared: (database) => declareAt(database, '2026-10-01T00:00:00Z') })
  admin = await openAdmin(house)
  finance = await admin.token({ name: 'a financier', roles: ['finance'] })
  auditor = await admin.token({ name: 'an auditor', roles: ['auditor'] })
  await use(house.database, [{ at: '2026-10-05T00:00:00Z', input: 1_000_000, output: 10_000 }])
  await closeMonth(house.database, '2026-10')
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
  await simulator.stop()
})

async function formulary(args: readonly string[], key: string | undefined = 'sk_test_simulated') {
  const said = { out: '', err: '' }
  const status = await main(['stripe', ...args], {
    environment: {
      DATABASE_URL: house.databases.appUrl,
      DATABASE_OWNER_URL: house.databases.ownerUrl,
      KEY_PEPPER: 'x'.repeat(40),
      STRIPE_API_BASE: `http://127.0.0.1:${simulator.port}`,
      ...(key === '' ? {} : { STRIPE_SECRET_KEY: key }),
    },
    out: (line) => void (said.out += `${line}\n`),
    err: (line) => void (said.err += `${line}\n`),
  })
  return { status, ...said }
}

test('without a key nothing is pushed, and it is said', async () => {
  expect(await formulary(['push'], '')).toMatchObject({ status: 1, err: expect.stringContaining('STRIPE_SECRET_KEY') })
  expect(await formulary(['status'], '')).toMatchObject({ status: 0, out: expect.stringContaining('Documents: none') })
})

test('a push that fails says so and ends with 1; asked again it waits for nothing, and is done', async () => {
  simulator.knobs.tooMany = 100
  expect(await formulary(['push'])).toMatchObject({ status: 1, out: 'INV-000001  open  (StripeRateLimitError)\n' })
  simulator.knobs.tooMany = 0
  // It would be tried again in a minute.
  expect((await formulary(['push'])).status).toBe(1)
  expect(await formulary(['push', 'INV-000001', '--by', 'nora'])).toMatchObject({
    status: 0,
    out: 'INV-000001  final\n',
  })
  expect(await formulary(['push', 'INV-000001'])).toMatchObject({
    status: 1,
    err: 'formulary: INV-000001 is at Stripe, final\n',
  })
  expect(await formulary(['push', 'INV-000009'])).toMatchObject({ status: 1 })
  const { rows } = await house.database.systemPool.query(
    `select agent_name from audit_entry where action = 'invoice.push'`,
  )
  expect(rows).toEqual([{ agent_name: 'nora' }])
})

test('what stands there, for people and for programs', async () => {
  const text = await formulary(['status'])
  expect(text.out).toContain('Documents: 1 final.')
  expect(text.out).toContain('INV-000001  lakeside  final  3.15 USD, 0.00 collected')
  expect(JSON.parse((await formulary(['status', '--json'])).out)).toMatchObject({
    openDifferences: 0,
    documents: [{ number: 'INV-000001', total: '3.15', state: 'final' }],
  })
  expect((await formulary(['events'])).out).toBe('Stripe has sent nothing.\n')
  expect((await formulary(['events', 'x'])).status).toBe(2)
  expect((await formulary(['sing'])).status).toBe(2)
})

test('an auditor reads, and finance has a document pushed again', async () => {
  const { systemPool } = house.database
  await systemPool.query(
    `insert into stripe_event (event_id, type, about, received_at)
     select 'evt_' || n, 'invoice.paid', 'in_1', '2026-11-01T00:00:00Z'::timestamptz + n * interval '1 second' from generate_series(1, 3) n`,
  )
  await systemPool.query(`update stripe_invoice set state = 'disagrees', retry_at = 'infinity'`)
  const got = async (path: string) => (await admin.ask(`GET ${path}`, { token: auditor })).body
  expect(await got('/stripe')).toMatchObject({ documents: { disagrees: 1 }, last_event_at: '2026-11-01T00:00:03.000Z' })
  expect(await got('/stripe/documents?state=disagrees')).toMatchObject({
    data: [{ number: 'INV-000001', total: '3.15' }],
  })
  expect(await got('/stripe/documents?state=paid')).toMatchObject({ data: [] })
  const first = await got('/stripe/events?limit=2')
  expect(first).toMatchObject({ data: [{ event: 'evt_3' }, { event: 'evt_2' }] })
  const { next } = first as { next: string }
  expect(await got(`/stripe/events?limit=2&after=${next}`)).toMatchObject({ data: [{ event: 'evt_1' }], next: null })
  const push = (token: string) => admin.ask('POST /stripe/documents/INV-000001/push', { token, body: {} })
  expect((await push(auditor)).status).toBe(403)
  expect(await push(finance)).toMatchObject({ status: 200, body: { state: 'open' } })
  await systemPool.query(`update stripe_invoice set state = 'paid'`)
  expect((await push(finance)).status).toBe(409)
})
