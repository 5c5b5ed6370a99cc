import { expect, test } from 'vitest'
import { Failure, instant, type Log } from '../kernel/index.ts'
import { EntryQueue, type AuditEntry } from './index.ts'

const entry = (id: string): AuditEntry => ({
  tenantId: undefined,
  at: instant(0),
  action: 'call.refuse',
  agent: { kind: 'application', name: 'ehr', roles: [] },
  entity: { type: 'model', id },
  outcome: 'refused',
  reason: 'license_suspended',
  facts: {},
})

function queueOf(write: (ids: readonly string[]) => Promise<void>) {
  const events: string[] = []
  const log: Log = { info() {}, warn: (event) => void events.push(event), error: (event) => void events.push(event) }
  const queue = new EntryQueue({
    write: (entries) => write(entries.map(({ entity }) => entity.id)),
    pause: () => Promise.resolve(),
    log,
  })
  return { queue, events }
}

test('what arrives while a write is under way goes in the next one, in order', async () => {
  const writes: (readonly string[])[] = []
  const first = Promise.withResolvers<void>()
  const { queue } = queueOf(async (ids) => {
    writes.push(ids)
    if (writes.length === 1) await first.promise
  })
  for (const id of ['a', 'b', 'c']) queue.append(entry(id))
  first.resolve()
  await queue.drained()
  expect(writes.flat()).toEqual(['a', 'b', 'c'])
  expect(writes.length).toBeLessThanOrEqual(2)
})

test('while the database is away entries wait, and are then written once', async () => {
  let away = 3
  const written: string[] = []
  const { queue, events } = queueOf(async (ids) => {
    if (away-- > 0) throw new Failure('database', 'away', { retryable: true })
    written.push(...ids)
  })
  for (const id of ['a', 'b']) queue.append(entry(id))
  while (queue.waiting > 0) await Promise.resolve()
  expect(written).toEqual(['a', 'b'])
  expect(events).toEqual(['audit.write_failed'])
})

test('more than it holds is counted, and the count is told', async () => {
  const held = Promise.withResolvers<void>()
  const { queue, events } = queueOf(() => held.promise)
  for (let index = 0; index < 10_005; index++) queue.append(entry(String(index)))
  expect(queue.waiting).toBe(10_000)
  held.resolve()
  await queue.drained()
  expect(events).toEqual(['audit.dropped'])
})

test('entries that the database refuses do not hold up those that follow', async () => {
  const written: string[] = []
  const { queue, events } = queueOf(async (ids) => {
    if (ids.includes('bad')) throw new TypeError('a bug')
    written.push(...ids)
  })
  queue.append(entry('bad'))
  await queue.drained()
  queue.append(entry('good'))
  await queue.drained()
  expect([written, events]).toEqual([['good'], ['audit.write_refused']])
})
