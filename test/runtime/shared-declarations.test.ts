import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../src/db/index.ts'
import { emptyMemory, Directory } from '../../src/gateway/index.ts'
import { parseApiKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { nodeLog } from '../../src/platform/node/log.ts'
import { declareTree, mintKey, openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'

/** What one isolate knows of the declarations, and many requests that read it, each over a connection of its own. */
let databases: TestDatabase
let database: Database
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
  await declareTree(database, 'http://model-host.test')
})
afterAll(async () => {
  await database?.close()
  await databases?.drop()
})

let { known } = emptyMemory()
let begun = 0
let ended = 0
beforeEach(() => {
  known = emptyMemory().known
  begun = 0
  ended = 0
})

/** The directory of one request. Its reading is adopted only when `mayAdopt` allows. */
const directory = (options: { staleAfterMs: number; mayAdopt?: Promise<void> }): Directory =>
  new Directory({
    database: reading(options.mayAdopt),
    log: nodeLog('silent'),
    known,
    staleAfterMs: options.staleAfterMs,
    now: () => instant(Date.now()),
    monotonicMs: () => performance.now(),
  })

function reading(mayAdopt: Promise<void> | undefined): Database {
  const transaction = () => ({
    async execute<T>(work: Parameters<ReturnType<Database['systemKysely']['transaction']>['execute']>[0]): Promise<T> {
      begun++
      const read = await database.systemKysely.transaction().execute(work)
      ended++
      await mayAdopt
      return read as T
    },
  })
  return { ...database, systemKysely: { transaction } as unknown as Database['systemKysely'] }
}

const idOf = (key: string): string => parseApiKey(key)?.keyId ?? ''

test('what one request has read, the next one knows without reading', async () => {
  const keyId = idOf(await mintKey(database, 'lakeside/ehr'))
  expect(await directory({ staleAfterMs: 60_000 }).findKeyAgain(keyId)).toBeDefined()
  const next = directory({ staleAfterMs: 60_000 })
  expect([next.findKey(keyId)?.keyId, next.isLoaded, begun]).toEqual([keyId, true, 1])
})

test('what was confirmed too long ago is nobody’s key, until it is read again', async () => {
  const keyId = idOf(await mintKey(database, 'lakeside/ehr'))
  const request = directory({ staleAfterMs: -1 })
  await request.refresh()
  expect(request.findKey(keyId)).toBeUndefined()
  expect(await request.findKeyAgain(keyId)).toMatchObject({ keyId })
})

test('with the database away, a stale key is a failure and not a refusal', async () => {
  const gone = openTestDatabase('postgres://formulary_app:x@127.0.0.1:1/formulary')
  const needs = { log: nodeLog('silent'), known, staleAfterMs: 500, now: () => instant(Date.now()) }
  const request = new Directory({ ...needs, database: gone, monotonicMs: () => performance.now() })
  await expect(request.findKeyAgain('abcdefghijkl')).rejects.toMatchObject({ dependency: 'database' })
  await gone.close()
})

test('a reading that comes late does not undo a newer one', async () => {
  const { promise: mayAdopt, resolve: adopt } = Promise.withResolvers<void>()
  const slow = directory({ staleAfterMs: 60_000, mayAdopt })
  const late = slow.refresh()
  await expect.poll(() => ended).toBe(1)
  const keyId = idOf(await mintKey(database, 'lakeside/ehr'))
  await directory({ staleAfterMs: 60_000 }).refresh()
  const seen = known.seenSeq
  adopt()
  await late
  expect([known.seenSeq, slow.findKey(keyId)?.keyId]).toEqual([seen, keyId])
})

test('fifty strangers at once make the isolate look once or twice', async () => {
  await directory({ staleAfterMs: 60_000 }).refresh()
  const found = await Promise.all(
    Array.from({ length: 50 }, () => directory({ staleAfterMs: 60_000 }).findKeyAgain('nobodysKey00')),
  )
  expect(found.every((key) => key === undefined)).toBe(true)
  expect(begun).toBeLessThanOrEqual(3)
})

test('and a key that was made meanwhile is found by whoever asks after it', async () => {
  await directory({ staleAfterMs: 60_000 }).refresh()
  const stranger = directory({ staleAfterMs: 60_000 }).findKeyAgain('nobodysKey00')
  const keyId = idOf(await mintKey(database, 'lakeside/ehr'))
  expect(await directory({ staleAfterMs: 60_000 }).findKeyAgain(keyId)).toMatchObject({ keyId })
  expect(await stranger).toBeUndefined()
})
