import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { startModelHost } from './model-host.ts'
import { openUsageLog, type HostUsageRow } from './usage-log.ts'

test('the ring keeps the newest rows, and pages go on where the last one ended', () => {
  const log = openUsageLog({ rowsMax: 3, path: null })
  for (const name of ['a', 'b', 'c', 'd', 'e']) log.append(row(name))
  expect(log.page(0, 10).rows.map((each) => each.requestId)).toEqual(['c', 'd', 'e'])
  const first = log.page(0, 2)
  expect([first.rows.map((each) => each.requestId), first.next, first.total]).toEqual([['c', 'd'], 4, 5])
  const second = log.page(first.next, 2)
  expect([second.rows.map((each) => each.requestId), second.next]).toEqual([['e'], 5])
  expect(log.page(second.next, 2)).toEqual({ rows: [], next: 5, total: 5 })
})

test('the file holds each row once, when the host has stopped, and whoever opens it again goes on from it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'model-host-'))
  const usageLog = join(folder, 'usage.jsonl')
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 }, usageLog })
  await Promise.all(Array.from({ length: 20 }, (_, index) => ask(host.url, `request-${index}`)))
  const inMemory = host.usage()
  await host.stop()
  const lines = (await readFile(usageLog, 'utf8')).trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual(inMemory)
  expect(new Set(inMemory.map((each) => each.requestId)).size).toBe(20)

  await appendFile(usageLog, '{"at":"2026-07-')
  const again = openUsageLog({ rowsMax: 15, path: usageLog })
  expect(again.page(0, 100)).toEqual({ rows: inMemory.slice(-15), next: 15, total: 15 })
  again.close()
  await rm(folder, { recursive: true })
})

test('a host that stops breaks off what is in flight, and says so', async () => {
  const host = await startModelHost({ knobs: { stallBeforeHeaders: true } })
  const answer = ask(host.url, 'request-1')
  await vi.waitFor(() => expect(host.open()).toEqual(['request-1']))
  await host.stop()
  await expect(answer).rejects.toThrow('fetch failed')
  expect(host.usage()).toMatchObject([{ requestId: 'request-1', finished: 'cut', status: 0 }])
})

test('a row says whose call it was, which attempt, and what it was allowed', async () => {
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
  await ask(host.url, 'request-1', { 'formulary-attempt': '2' }, { max_tokens: 9, safety_identifier: 'hashed' })
  const page = await (await fetch(`${host.url}/_usage?after=0&limit=1`)).json()
  const last = lastPage.parse(await (await fetch(`${host.url}/_last`)).json())
  const stats = await (await fetch(`${host.url}/_stats`)).json()
  await host.stop()
  expect(page).toMatchObject({
    rows: [{ requestId: 'request-1', attempt: 2, maxTokens: 9, user: 'hashed', finished: 'complete', outputTokens: 9 }],
    next: 1,
    total: 1,
  })
  expect(last.headers).toMatchObject({ 'formulary-attempt': '2' })
  expect(JSON.parse(last.body)).toMatchObject({ max_tokens: 9 })
  expect(stats).toMatchObject({ open: 0, opened: 1, served: 1, clientLeft: 0 })
})

const lastPage = z.object({ headers: z.record(z.string(), z.unknown()), body: z.string() })

async function ask(url: string, requestId: string, headers: Record<string, string> = {}, more: object = {}) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-request-id': requestId, ...headers },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello' }], ...more }),
  })
  await answer.text()
}

function row(requestId: string): HostUsageRow {
  return {
    at: '2026-07-01T00:00:00.000Z',
    requestId,
    attempt: 1,
    model: 'm',
    site: null,
    operation: 'chat',
    inputTokens: 1,
    outputTokens: 1,
    status: 200,
    finished: 'complete',
    sentChunks: 1,
    startedAt: 0,
    endedAt: 1,
    user: null,
    maxTokens: null,
  }
}
