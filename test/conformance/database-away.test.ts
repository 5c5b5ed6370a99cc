import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHouse, testHostKey, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'
import { knownKey } from './known-key.ts'
import { callRaw } from './raw-caller.ts'
import { spawnTalkative, type TalkativeProcess } from './talkative-process.ts'
import { openProxy, type Proxy } from './tcp-proxy.ts'

let house: House
let database: Proxy
let gateway: TalkativeProcess
let owner: pg.Client
let key: string
beforeAll(async () => {
  house = await openHouse()
  key = await knownKey(house, 'lakeside/ehr')
  database = await openProxy(new URL(house.databases.appUrl))
  gateway = await spawnTalkative(database.url, { TEST_HOST_KEY: testHostKey })
  owner = new pg.Client({ connectionString: house.databases.ownerUrl })
  await owner.connect()
})
afterAll(async () => {
  await owner.end()
  await gateway.stop()
  await database.stop()
  await house.stop()
})

const ask = () =>
  callRaw({
    url: `${gateway.url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
  })

// A connection that Kysely has taken out of the pool has nobody who listens to its `error` but the listener of openDatabase:
// without it this ends the process, and with it every stream.
test('a database connection that breaks inside a transaction ends no process, and calls go on after it', async () => {
  expect((await ask()).status).toBe(200)
  await owner.query('begin; lock table directory_change in access exclusive mode')
  await until('a transaction waits', 5_000, async () => {
    const waiting = 'select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))'
    return (await owner.query(waiting)).rowCount !== 0
  })
  database.cut()
  await owner.query('rollback')
  database.mend()
  await until('it answers again', 10_000, async () => (await ask()).status === 200)
  expect(gateway.exit()).toBeUndefined()
})
