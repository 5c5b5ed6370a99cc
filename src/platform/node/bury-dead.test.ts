import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../db/index.ts'
import { nodeLog } from './log.ts'
import { buryDeadJob, spoolPath } from './bury-dead.ts'
import { FileSpool } from './spool.ts'
import { cloneDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { openTestDatabase } from '../../../test/support/house.ts'

const home = '0123456789abcdef'
/** Nobody listens there. */
const away = openDatabase({
  url: 'postgres://nobody@127.0.0.1:1/none',
  applicationName: 'test',
  tenantConnectionsMax: 1,
  systemConnectionsMax: 1,
  connectTimeoutMs: 1_000,
  statementTimeoutMs: 1_000,
})
const log = nodeLog('silent')

let databases: TestDatabase
let database: ReturnType<typeof openTestDatabase>
let folder: string
beforeAll(async () => {
  databases = await cloneDatabase()
  database = openTestDatabase(databases.appUrl)
})
afterAll(async () => {
  await Promise.all([database.close(), away.close()])
  await databases.drop()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'formulary-dead-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

/** What a process left behind: one batch without rows, of an instance that nobody knows any more. */
async function leaveSpool(pid: number): Promise<void> {
  const path = spoolPath(folder, { home, pid, name: '00000000-0000-4000-8000-000000000000' })
  const spool = new FileSpool(path, { bytesMax: 10_000 })
  const instanceId = '01890a5d-ac96-774b-bcce-b302099a8057'
  await spool.append({ instanceId, lane: 0, number: 1, events: '[]', ended: '[]' })
}

const own = () => spoolPath(folder, { home, pid: process.pid, name: '11111111-1111-4111-8111-111111111111' })
const bury = (on: typeof database) => buryDeadJob({ home, folder, own: own() }).run({ database: on, log })
const deadPid = (): number => spawnSync(process.execPath, ['--eval', '']).pid

describe('a spool whose process has gone', () => {
  test('is replayed, and then it is not there', async () => {
    await leaveSpool(deadPid())
    await bury(database)
    expect(readdirSync(folder)).toEqual([])
  })

  test('is replayed by a later run when the database goes away in the middle of the first', async () => {
    await leaveSpool(deadPid())
    // The instances were read, and then the database was away.
    const halfway = Object.create(database, {
      systemPool: { value: { query: queryOnce() } },
    }) as typeof database
    await expect(bury(halfway)).rejects.toThrow()
    expect(readdirSync(folder)).toEqual([expect.stringMatching(new RegExp(`\\.by-${process.pid}$`))])
    await bury(database)
    expect(readdirSync(folder)).toEqual([])
  })

  test('of which the number has come again is replayed by the process that has it now', async () => {
    await leaveSpool(process.pid)
    await bury(database)
    expect(readdirSync(folder)).toEqual([])
  })

  test('is left to its process while that lives, and its own is left alone', async () => {
    const spool = new FileSpool(own(), { bytesMax: 10_000 })
    await spool.append({
      instanceId: '01890a5d-ac96-774b-bcce-b302099a8057',
      lane: 0,
      number: 1,
      events: '[]',
      ended: '[]',
    })
    await leaveSpool(process.ppid)
    await bury(database)
    expect(readdirSync(folder)).toHaveLength(2)
  })
})

/** Answers the first question as the database does, and is away from then on. */
function queryOnce(): (typeof database)['systemPool']['query'] {
  let asked = 0
  const query = (...args: unknown[]): unknown => {
    const pool: { query(...all: unknown[]): unknown } = asked++ === 0 ? database.systemPool : away.systemPool
    return pool.query(...args)
  }
  return query as (typeof database)['systemPool']['query']
}
