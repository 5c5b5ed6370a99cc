import { Agent } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { importHostUsage, monthOf, monthName, reportColumns } from '../../src/billing/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { openAdmin, type Admin } from '../support/admin.ts'
import { openHouse, tester, type House } from '../support/house.ts'
import { callChat } from '../support/model-call.ts'

const agent = new Agent()
let house: House
let admin: Admin
let ada: string
let ben: string
let auditor: string
beforeAll(async () => {
  house = await openHouse()
  admin = await openAdmin(house)
  ada = await admin.token({ name: 'Ada Moreno', roles: ['finance'] })
  ben = await admin.token({ name: 'Ben Okafor', roles: ['finance'] })
  auditor = await admin.token({ name: 'an auditor', roles: ['auditor'] })
})
afterAll(async () => {
  await agent.destroy()
  await admin.stop()
  await house.stop()
})

const period = monthOf(instant(Date.now()))
const month = monthName(period)

/** The stand-in host's own report, changed or not, as its sender would have made it. */
async function importReport(format: 'csv' | 'json', change = (text: string) => text): Promise<number> {
  const text = change(await (await fetch(`${house.host.url}/_report?month=${month}&format=${format}`)).text())
  const imported = await importHostUsage(
    { database: house.database, startSha256: nodeSha256 },
    {
      deployment: 'east',
      period,
      format,
      async *open() {
        yield text
      },
      actor: tester,
      now: instant(Date.now()),
    },
  )
  if (!imported.ok) throw new Error(JSON.stringify(imported.error))
  return imported.value.lines
}

const reconcile = async () =>
  (await admin.ask(`POST /reconciliations/${month}/run`, { token: ada, body: {} })) as unknown as {
    status: number
    body: { figures: { classes: object; calls: { ours: object; theirs: object; agreed: object } }; matched: number }
  }

test('what was called through the gateway and what the host logged agree to the last token, as CSV and as JSON', async () => {
  const key = await house.key('lakeside/ehr')
  for (let call = 0; call < 6; call++) {
    const { status } = await callChat(agent, house.url, { key, stream: call % 2 === 0, maxTokens: 5 + call })
    expect(status).toBe(200)
  }
  // A host that fails once: its line and our row count nothing.
  house.host.setKnobs({ status: 500, statusTimes: 1 })
  await callChat(agent, house.url, { key, stream: false })
  const reader = await house.key('lakeside/reader')
  const inferred = await fetch(`${house.url}/v2/models/ecg-low-ef/infer`, {
    method: 'POST',
    headers: { authorization: `Bearer ${reader}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      inputs: [{ name: 'ecg', shape: [1, 12, 4], datatype: 'FP32', data: Array.from({ length: 48 }, () => 0.5) }],
    }),
  })
  expect([inferred.status, await inferred.text()]).toEqual([200, expect.any(String)])
  expect((await admin.ask(`GET /reconciliations/${month}`, { token: auditor })).status).toBe(404)
  expect(await importReport('csv')).toBe(house.host.usage().length)
  const ran = await reconcile()
  expect(ran.status).toBe(201)
  expect(ran.body.figures.classes).toEqual({})
  await importReport('json')
  expect((await reconcile()).body.figures.classes).toEqual({})
  expect(reportColumns).toContain('attempt')
})

interface Found {
  readonly exception: string
  readonly class: string
  readonly state: string
}
const listed = async (state: string): Promise<readonly Found[]> =>
  (await admin.ask(`GET /reconciliation-exceptions?month=${month}&state=${state}`, { token: auditor })).body
    .data as unknown as readonly Found[]

test('finance works differences off over the API: one is corrected, another one accepted by a second person', async () => {
  // The host counts one call dearer than it told us, and one that nobody made.
  await importReport('json', (text) => {
    const lines = text.trimEnd().split('\n')
    const first = JSON.parse(lines[0] ?? '') as { output_units: number }
    lines[0] = JSON.stringify({ ...first, output_units: first.output_units + 3 })
    return `${[...lines, JSON.stringify({ ...first, request_id: 'probe-1' })].join('\n')}\n`
  })
  expect((await reconcile()).body.figures.classes).toEqual({ quantity_differs: 1, missing_in_ledger: 1 })
  const open = await listed('open')
  const idOf = (name: string) => open.find((one) => one.class === name)?.exception ?? ''
  const path = `/reconciliation-exceptions/${idOf('quantity_differs')}`
  const read = await admin.ask(`GET ${path}`, { token: ada })
  const etag = read.headers.get('etag') ?? ''
  expect((await admin.ask(`POST ${path}/correct`, { token: ada, body: { reason: 'x' } })).status).toBe(428)
  const corrected = await admin.ask(`POST ${path}/correct`, {
    token: ada,
    body: { reason: 'as the host counts' },
    ifMatch: etag,
  })
  expect([corrected.status, corrected.body.state]).toEqual([200, 'corrected'])
  const again = await admin.ask(`POST ${path}/correct`, { token: ada, body: { reason: 'again' }, ifMatch: etag })
  expect([again.status, again.body.reason]).toEqual([412, 'changed_meanwhile'])

  const probe = `/reconciliation-exceptions/${idOf('missing_in_ledger')}`
  const asked = await admin.ask(`POST ${probe}/accept`, {
    token: ada,
    body: { reason: 'a probe of the host’s own' },
    ifMatch: '*',
  })
  expect(asked.status).toBe(202)
  const approve = (token: string) =>
    admin.ask(`POST /change-requests/${asked.body.change_request}/approve`, { token, body: { reason: 'seen' } })
  expect((await approve(ada)).status).toBe(409)
  expect((await approve(ben)).status).toBe(200)
  expect((await listed('accepted')).map((one) => one.class)).toEqual(['missing_in_ledger'])
  expect(await listed('open')).toEqual([])
  expect((await reconcile()).body.figures.classes).toEqual({ missing_in_ledger: 1 })
})

test('the report is read as a page and as a table, by whoever may look', async () => {
  const get = (format: string, token: string) =>
    fetch(`${admin.url}/admin/v1/reconciliations/${month}?format=${format}`, {
      headers: { authorization: `Bearer ${token}` },
    })
  const page = await get('html', auditor)
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(await page.text()).toContain('Nothing is open: every difference is worked off.')
  const table = await get('csv', auditor)
  expect((await table.text()).split('\r\n').filter((line) => line !== '')).toHaveLength(3)
  const tenants = await admin.token({ name: 'theirs', roles: ['tenant-admin'], tenant: 'lakeside' })
  expect((await get('html', tenants)).status).toBe(403)
})
