import { afterEach, expect, test } from 'vitest'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { bootstrapSeconds, decideBootstrap, noteFirstStart } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { openAdmin, testOwnerToken, type Admin } from '../support/admin.ts'
import { declareTree, mintAdminToken, openTestDatabase } from '../support/house.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'
import { quietProvider } from '../support/session.ts'

/** A control plane over a database of its own, in which nobody is yet. */
interface Installation {
  readonly admin: Admin
  readonly database: Database
  readonly databases: TestDatabase
}

const opened: Installation[] = []
afterEach(async () => {
  for (const { admin, database, databases } of opened.splice(0)) {
    await admin.stop()
    await database.close()
    await databases.drop()
  }
})

async function install(startedSecondsAgo = 0): Promise<Installation> {
  const databases = await cloneDatabase()
  const database = openTestDatabase(databases.appUrl)
  const at = instant(Date.now() - startedSecondsAgo * 1000)
  if (startedSecondsAgo > 0) await systemTransaction(database, 'administer', (tx) => noteFirstStart(tx, at))
  const admin = await openAdmin({ databases, database, url: 'http://gateway.test' })
  const one = { admin, database, databases }
  opened.push(one)
  return one
}

const make = (admin: Admin, roles: readonly string[], token = testOwnerToken) =>
  admin.ask('POST /admin-tokens', { token, body: { name: 'Ada Moreno', roles, days: 1 } })

test('in the first minute the bootstrap token makes the first admin token, which does everything else', async () => {
  const { admin } = await install()
  const made = await make(admin, ['owner-admin'])
  expect(made.status).toBe(201)
  expect((await admin.ask('GET /tenants', { token: made.body.token })).status).toBe(200)
  const listed = await admin.ask('GET /admin-tokens', { token: made.body.token })
  expect(listed.body.data).toMatchObject([{ name: 'Ada Moreno', created_by: 'owner-token' }])
})

test('it makes tokens and does nothing else', async () => {
  const { admin } = await install()
  for (const what of ['GET /tenants', 'GET /admin-tokens', 'GET /session', 'POST /declarations/plan', 'GET /audit'])
    expect(await admin.ask(what, { token: testOwnerToken, body: { tree: {} } })).toMatchObject({
      status: 403,
      body: { reason: 'bootstrap_only_makes_tokens' },
    })
})

test('it is over when there is a token of an owner-admin, also after that one was revoked', async () => {
  const { admin, database } = await install()
  expect((await make(admin, ['licensing'])).status).toBe(201)
  expect((await make(admin, ['owner-admin'])).status).toBe(201)
  expect(await make(admin, ['licensing'])).toMatchObject({ status: 403, body: { reason: 'bootstrap_over' } })
  await database.systemPool.query('update admin_token set revoked_at = now()')
  expect(await make(admin, ['owner-admin'])).toMatchObject({ status: 403, body: { reason: 'bootstrap_over' } })
})

test('it is over a minute after the first start, however often it was started since', async () => {
  const { admin, database } = await install(bootstrapSeconds)
  expect(await make(admin, ['owner-admin'])).toMatchObject({ status: 403, body: { reason: 'bootstrap_over' } })
  await systemTransaction(database, 'administer', (tx) => noteFirstStart(tx, instant(Date.now())))
  expect((await make(admin, ['owner-admin'])).status).toBe(403)
  // Whoever runs the machine still makes one.
  const token = await mintAdminToken(database, { name: 'Ada Moreno', roles: ['owner-admin'] })
  expect((await make(admin, ['licensing'], token)).status).toBe(201)
})

test('it is over when the owner’s people can sign in', async () => {
  const { admin, database } = await install()
  await declareTree(database, 'http://model-host.test', {
    'clinic/tenant.yaml': (text) => text + quietProvider('owner-admin'),
  })
  expect(await make(admin, ['owner-admin'])).toMatchObject({ status: 403, body: { reason: 'bootstrap_over' } })
})

test('the console does not take it', async () => {
  const { admin } = await install()
  const body = new URLSearchParams({ token: testOwnerToken })
  const answer = await fetch(`${admin.url}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null])
})

test('a minute ends with its last millisecond, and nobody noted a start: nothing is open', () => {
  const firstStartedAt = instant(1_000_000)
  const alone = { hasOwnerAdmin: false, hasOwnersProvider: false }
  const at = (milliseconds: number) => instant(firstStartedAt + milliseconds)
  expect(decideBootstrap({ ...alone, firstStartedAt }, at(59_999)).ok).toBe(true)
  expect(decideBootstrap({ ...alone, firstStartedAt }, at(60_000)).ok).toBe(false)
  expect(decideBootstrap({ ...alone, firstStartedAt: undefined }, at(0)).ok).toBe(false)
})
