import { request } from 'node:http'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { systemTransaction } from '../../src/db/index.ts'
import { parseApiKey, revokeKey } from '../../src/identity/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { expireInstances } from '../../src/metering/index.ts'
import { declareTree, mintKey, tester, testPepper } from '../support/house.ts'
import { readBudget, readLedger, until } from '../support/ledger.ts'
import { openWorkerd, workerTexts, type Workerd } from './runtimes.ts'
import { bundleWorker, serveWorker, type Bundle, type ServedWorker } from './workerd.ts'

/** What holds on Workers alone: a gateway that lives for one request. */
let bundle: Bundle
let worker: Workerd
beforeAll(async () => {
  bundle = await bundleWorker()
  worker = await openWorkerd(bundle, { LEASE_SECONDS: '2' })
})
afterAll(async () => {
  await worker?.stop()
  await bundle?.remove()
})

const canary = 'a-canary-of-content'

const ask = (served: { url: string }, key: string, wish: object = {}) =>
  fetch(`${served.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'scribe', max_tokens: 20, messages: [{ role: 'user', content: canary }], ...wish }),
  })

describe('who calls no model', () => {
  test('writes nothing: it is answered while every table of calls is locked', async () => {
    const owner = new pg.Client(worker.ownerUrl)
    await owner.connect()
    try {
      const tables = 'instance, usage_batch, budget_account, budget_lease, reservation, usage_event, rate_window'
      await owner.query('begin')
      await owner.query(`lock table ${tables} in access exclusive mode`)
      const key = worker.key('lakeside/ehr')
      const reads = ['/healthz', '/readyz', '/openapi.json', '/v1/models'].map((path) =>
        fetch(worker.url + path, { headers: { authorization: `Bearer ${key}` } }),
      )
      const strangers = [
        ask(worker, 'no key'),
        ask(worker, key, { model: 'ecg-low-ef' }),
        ask(worker, key, { model: 1 }),
      ]
      const answers = await Promise.all([...reads, ...strangers])
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 401, 400, 400])
    } finally {
      await owner.query('rollback')
      await owner.end()
    }
  })
})

describe('what is kept from request to request', () => {
  test('a key works as soon as it was made, and is refused within a second of its end', async () => {
    const key = await mintKey(worker.database, 'lakeside/ehr')
    expect((await ask(worker, key)).status).toBe(200)
    const keyId = parseApiKey(key)?.keyId ?? ''
    const now = instant(Date.now())
    await systemTransaction(worker.database, 'administer', (tx) =>
      revokeKey(tx, { keyId, reason: 'lost', actor: tester, now }),
    )
    await until('the key is refused', 1_000, async () => (await ask(worker, key)).status === 401)
  })
})

describe('a call', () => {
  test('beside many others: all are answered, each is in the ledger, and the budget is what they used', async () => {
    const before = await readLedger(worker.database)
    const answers = await Promise.all(
      Array.from({ length: 24 }, async (_, call) => {
        const response = await ask(worker, worker.key('lakeside/ehr'), { stream: call % 2 === 0 })
        return { status: response.status, text: await response.text() }
      }),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    await worker.atRest()
    const rows = await readLedger(worker.database)
    expect(rows.length - before.length).toBe(24)
    const tokens = rows.reduce((sum, row) => sum + row.tokens, 0n)
    expect(await readBudget(worker.database, 'tokens/month')).toEqual({ used: tokens, held: 0n })
  })

  test('whose caller takes nothing any more, and then goes, holds nothing', async () => {
    worker.host.setKnobs({ chunks: 100_000, text: 'x'.repeat(1_000), ignoreCap: true })
    const asking = request(`${worker.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${worker.key('lakeside/ehr')}`, 'content-type': 'application/json' },
      agent: false,
    })
    asking.on('error', () => {})
    asking.end(JSON.stringify({ model: 'scribe', stream: true, messages: [{ role: 'user', content: canary }] }))
    await new Promise<void>((resolve) => asking.once('response', (response) => resolve(void response.pause())))
    // The relay has nothing to do any more: the host is held back.
    let sent = -1
    await until('nothing moves', 10_000, async () => {
      const before = sent
      sent = worker.host.stats().bytes
      if (sent === before) return true
      await new Promise((resolve) => setTimeout(resolve, 200))
      return false
    })
    asking.socket?.resetAndDestroy()
    await worker.atRest()
    worker.host.resetKnobs()
    expect((await readLedger(worker.database)).at(-1)).toMatchObject({ outcome: 'client_left' })
  })

  test('that takes longer than its lease keeps it', async () => {
    worker.host.setKnobs({ chunks: 8, chunkMs: 500 })
    const answer = ask(worker, worker.key('lakeside/ehr'), { stream: true }).then((response) => response.text())
    let isAnswered = false
    void answer.finally(() => (isAnswered = true))
    await until('the answer is whole, while a sweeper looks for the dead', 10_000, async () => {
      expect(await expireInstances(worker.database)).toEqual({ instances: 0, calls: 0 })
      return isAnswered
    })
    worker.host.resetKnobs()
    expect(await answer).toMatch(/data: \[DONE\]\n\n$/)
    await worker.atRest()
  })

  test('whose connections break is settled over new ones', async () => {
    worker.host.setKnobs({ chunks: 6, chunkMs: 200 })
    const answer = ask(worker, worker.key('lakeside/ehr'), { stream: true }).then((response) => response.text())
    await until('the call is known', 5_000, async () => (await readOpen()).length > 0)
    const broken = await worker.database.tenantPool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'formulary-workers' and datname = current_database()`)
    expect(broken.rowCount).toBeGreaterThan(0)
    worker.host.resetKnobs()
    expect(await answer).toMatch(/data: \[DONE\]\n\n$/)
    await worker.atRest()
    expect((await readLedger(worker.database)).at(-1)).toMatchObject({ outcome: 'answered', usageSource: 'host' })
  })

  test('that dies with its isolate is settled at its bound, and what it held is free after its lease', async () => {
    const dying = await serveWorker(bundle, {
      texts: { ...workerTexts, LEASE_SECONDS: '2' },
      databaseUrl: worker.databaseUrl,
    })
    worker.host.setKnobs({ stallAfterChunks: 2 })
    const response = await ask(dying, worker.key('lakeside/portal'), { stream: true })
    expect(response.status).toBe(200)
    await until('the call is known', 5_000, async () => (await readOpen()).length > 0)
    await dying.kill()
    worker.host.resetKnobs()
    await until('the sweeper finds it', 10_000, async () => (await expireInstances(worker.database)).calls === 1)
    await worker.atRest()
    expect((await readLedger(worker.database)).at(-1)).toMatchObject({
      outcome: 'expired',
      usageSource: 'bound',
      policy: ['licensed-use'],
    })
  })

  const readOpen = () =>
    systemTransaction(worker.database, 'maintain', (tx) => tx.selectFrom('reservation').select('request_id').execute())
})

describe('the log', () => {
  test('names each call, and says nothing of what was in it', () => {
    const lines = worker.served.log()
    expect(lines).toContain('"event":"call"')
    expect(lines).toContain('"event":"call.refused"')
    for (const secret of [canary, 'inside-words', testPepper, ...worker.keys]) expect(lines).not.toContain(secret)
    expect(lines).not.toMatch(/"level":"error"/)
  })
})

describe('policies', () => {
  const policies = (text: string) =>
    declareTree(worker.database, worker.host.url, {
      'policies/licensed-use.cedar': (shipped) => `${shipped}\n${text}`,
    })

  test('hold as soon as they are applied, and are asked of Cedar in the isolate', async () => {
    const key = worker.key('lakeside/ehr')
    expect((await ask(worker, key)).status).toBe(200)
    await policies(
      `@id("no-ehr") @reason("Not today.") forbid (principal == Application::"lakeside/ehr", action, resource);`,
    )
    await until('the call is refused', 10_000, async () => (await ask(worker, key)).status === 403)
    const refused = z.object({ error: z.object({ code: z.string(), reasons: z.array(z.string()) }) })
    expect(refused.parse(await (await ask(worker, key)).json()).error).toEqual({
      code: 'policy_denied',
      reasons: ['policy_denied', 'no-ehr: Not today.'],
    })
    await policies('')
    await until('the call is answered', 10_000, async () => (await ask(worker, key)).status === 200)
    await worker.atRest()
  })
})

describe('an outage of ours is 503, never 401', () => {
  const Refused = z.object({ error: z.object({ code: z.string() }) })
  let served: ServedWorker | undefined
  afterEach(() => served?.stop())

  test.each([
    ['a database that is not there', () => 'postgres://formulary_app:x@127.0.0.1:1/formulary'],
    ['a database that refuses the login', () => worker.databaseUrl.replace(/:[^:@]+@/, ':wrong@')],
    ['a role that row-level security does not bind', () => worker.ownerUrl],
  ])('%s', async (_what, databaseUrl) => {
    served = await serveWorker(bundle, { texts: workerTexts, databaseUrl: databaseUrl() })
    const asked = await ask(served, worker.key('lakeside/ehr'))
    expect([asked.status, asked.headers.has('retry-after')]).toEqual([503, true])
    expect(Refused.parse(await asked.json()).error.code).toBe('unavailable')
    expect((await fetch(`${served.url}/readyz`)).status).toBe(503)
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200)
  })

  test.each([
    ['no pepper', {}],
    ['a short pepper', { KEY_PEPPER: 'short' }],
    ['a signing key of development', { SIGNING_KEY: `development-${'0'.repeat(64)}` }],
    ['a pepper of development', { KEY_PEPPER: `development-${'0'.repeat(64)}` }],
    ['a limit that is no number', { ...workerTexts, BODY_BYTES_MAX: 'many' }],
  ])('%s', async (_what, texts) => {
    served = await serveWorker(bundle, { texts, databaseUrl: worker.databaseUrl })
    const asked = await ask(served, worker.key('lakeside/ehr'))
    expect([asked.status, await asked.text()]).toEqual([503, ''])
    expect(served.log()).toContain('"kind":"ConfigError"')
  })
})
