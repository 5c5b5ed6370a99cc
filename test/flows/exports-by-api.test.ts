import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveDownload } from '../../src/admin/serve-download.ts'
import { checkFocus, verifyPack } from '../../src/billing/index.ts'
import { ok } from '../../src/kernel/index.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { close, focusFiles, licenses, makeFocusMonths } from '../billing/focus-month.ts'
import { openAdmin, type Admin } from '../support/admin.ts'
import { openHouse, type House } from '../support/house.ts'

let house: House
let admin: Admin
let auditor: string
let lakeside: string

beforeAll(async () => {
  house = await openHouse({ declared: async (database) => void (await makeFocusMonths(database, 3, 200)) })
  admin = await openAdmin(house)
  for (const license of licenses) await close(house.database, license, '2026-09', '2026-10-02T00:00:00Z')
  auditor = await admin.token({ name: 'Ada', roles: ['auditor'] })
  lakeside = await admin.token({ name: 'Lena of Lakeside', roles: ['tenant-admin'], tenant: 'lakeside' })
})
afterAll(async () => {
  await admin.stop()
  await house.stop()
})

const get = (path: string, token = auditor) =>
  fetch(`${admin.url}/admin/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
const datasets = ['cost-and-usage', 'contract-commitment', 'billing-period', 'invoice-detail'] as const

test('an auditor downloads a month as FOCUS, the same as the command writes', async () => {
  const written = await focusFiles(house.database, '2026-09')
  for (const dataset of datasets) {
    const response = await get(`/exports/focus/${dataset}?month=2026-09`)
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${dataset}-2026-09.csv"`)
    expect(await response.text()).toBe(written[dataset])
  }
})

test('a tenant’s administrator downloads its own, which names nobody else but who invoices it', async () => {
  const files = await Promise.all(
    datasets.map(async (name) => ({
      name,
      text: [await (await get(`/exports/focus/${name}?month=2026-09`, lakeside)).text()],
    })),
  )
  expect(await checkFocus(files)).toMatchObject({
    violations: [],
    count: 0,
    files: [{ rows: expect.any(Number) }, {}, {}, {}],
  })
  const text = files.map((file) => file.text).join('')
  expect(text).toContain('The Clinic')
  expect(text).not.toMatch(/prairie|LIC-OWNER|EUR/i)
  expect((await get('/exports/focus/cost-and-usage?month=2026-09&license=LIC-OWNER', lakeside)).status).toBe(404)
  expect((await get('/exports/evidence/LIC-PRAIRIE?month=2026-09', lakeside)).status).toBe(404)
  expect((await get('/exports/journal?month=2026-09', lakeside)).status).toBe(403)
})

test('evidence is the same archive for the auditor and for the tenant, and agrees with itself', async () => {
  const archive = async (token: string) =>
    new Uint8Array(await (await get('/exports/evidence/LIC-LAKESIDE?month=2026-09', token)).arrayBuffer())
  const [one, two] = [await archive(auditor), await archive(lakeside)]
  expect(Buffer.from(two).equals(Buffer.from(one))).toBe(true)
  const pieces = (async function* () {
    yield one
  })()
  expect(await verifyPack(pieces, nodeSha256)).toMatchObject({
    license: 'LIC-LAKESIDE',
    month: '2026-09',
    differences: [],
  })
})

test('a usage download is what the month was frozen under', async () => {
  const text = await (await get('/exports/usage/LIC-LAKESIDE?month=2026-09', lakeside)).text()
  const { rows } = await house.database.systemPool.query<{ usage_sha256: string }>(
    `select usage_sha256 from period_closing where license = 'LIC-LAKESIDE' and period_start = '2026-09-01T00:00:00Z'`,
  )
  expect(createHash('sha256').update(text).digest('hex')).toBe(rows[0]?.usage_sha256)
})

test('what is refused is refused before the first byte; a month that somebody altered breaks off', async () => {
  const refused = async (path: string) => {
    const response = await get(path)
    const { reason } = (await response.json()) as { reason: string }
    return [response.status, reason]
  }
  expect(await refused('/exports/evidence/LIC-LAKESIDE?month=2026-10')).toEqual([409, 'period_not_closed'])
  expect(await refused('/exports/evidence/LIC-NOBODY?month=2026-09')).toEqual([404, 'not_found'])
  expect(await refused('/exports/focus/costs?month=2026-09')).toEqual([400, 'invalid_request'])
  expect(await refused('/exports/focus/cost-and-usage?month=september')).toEqual([400, 'invalid_request'])

  // Late rows that belong to the frozen ones: as if somebody had taken the note of one away.
  await house.database.systemPool.query(`update usage_late set counted_in = null where license = 'LIC-LAKESIDE'`)
  const response = await get('/exports/focus/cost-and-usage?month=2026-09')
  expect(response.status).toBe(200)
  await expect(response.text()).rejects.toThrow()
  expect(await refused('/exports/evidence/LIC-LAKESIDE?month=2026-09')).toEqual([409, 'usage_differs'])
})

test('who goes away in the middle leaves neither a transaction nor anybody who writes', async () => {
  const ended = Promise.withResolvers<unknown>()
  // A file without end: whoever goes away does so in its middle.
  const served = await serveDownload(
    { log: nodeLog('silent'), billing: { database: house.database, startSha256: nodeSha256 } },
    {
      id: 'endless',
      tenantId: undefined,
      open: async () =>
        ok({
          type: 'text/plain',
          name: 'endless.txt',
          async write(to) {
            try {
              for (;;) await to(new Uint8Array(65_536))
            } catch (error) {
              ended.resolve(error)
              throw error
            }
          },
        }),
    },
  )
  if (!served.ok) throw new Error('it was refused')
  const reader = served.value.body?.getReader()
  await reader?.read()
  const openOnes = async () => {
    const { rows } = await house.database.systemPool.query<{ open: number }>(
      `select count(*)::integer as open from pg_stat_activity where state like 'idle in transaction%'
         and datname = current_database()`,
    )
    return rows[0]?.open
  }
  expect(await openOnes()).toBe(1)
  await reader?.cancel(new Error('gone away'))
  expect(await ended.promise).toBeInstanceOf(Error)
  await expect.poll(openOnes).toBe(0)
})
