import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { migrateDatabase, systemTransaction, tenantTransaction, type Database } from '../../src/db/index.ts'
import { instant, type Log, type LogFacts } from '../../src/kernel/index.ts'
import { dropDatabase, ensureDatabase } from '../../src/platform/node/ensure-database.ts'
import { readMigrations } from '../../src/platform/node/read-migrations.ts'
import { loadOwnerPolicies, loadTenantPolicies, type KeptPolicy } from '../../src/policy/index.ts'
import {
  applyChanges,
  formatPlan,
  loadCurrent,
  planChanges,
  planDeclarations,
  readDeclarations,
} from '../../src/tenants/index.ts'
import { treeFor } from '../support/declarations.ts'
import { declareTree, openHouse, openTestDatabase, reviewed, type House } from '../support/house.ts'
import { readLedger, until } from '../support/ledger.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.stop())

const Refused = z.object({ error: z.object({ code: z.string(), message: z.string(), reasons: z.array(z.string()) }) })

const ask = async (application: string, wish: object = {}, headers: Record<string, string> = {}) =>
  fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await house.key(application)}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ model: 'scribe', max_tokens: 5, messages: [{ role: 'user', content: 'x' }], ...wish }),
  })
const refusalOf = async (answer: Response) => ({ status: answer.status, ...Refused.parse(await answer.json()).error })

const owners = 'policies/licensed-use.cedar'
const own = 'lakeside/policy.cedar'
const declare = (texts: Readonly<Record<string, string>>) =>
  house.declare(Object.fromEntries(Object.entries(texts).map(([file, more]) => [file, (text) => `${text}\n${more}`])))

/** Declares, and waits until the gateway has heard of it. */
async function inForce(texts: Readonly<Record<string, string>>, status: number, look: () => Promise<Response>) {
  await declare(texts)
  await until(`it is answered with ${status}`, 10_000, async () => {
    const answer = await look()
    await answer.text()
    return answer.status === status
  })
}

describe('a policy', () => {
  test('of the owner forbids what a license grants, and the refusal says which and why', async () => {
    expect((await ask('lakeside/ehr')).status).toBe(200)
    const operations = () => ask('lakeside/ehr', {}, { 'formulary-purpose-of-use': 'HOPERAT' })
    expect((await operations()).status).toBe(200)
    const text = `@id("care-only") @reason("This model is for care only.")
forbid (principal, action, resource in Model::"scribe") when { context.purpose == Purpose::"HOPERAT" };`
    await inForce({ [owners]: text }, 403, operations)
    expect(await refusalOf(await operations())).toEqual({
      status: 403,
      code: 'policy_denied',
      message: 'Policy `care-only` forbids this: This model is for care only.',
      reasons: ['policy_denied', 'care-only: This model is for care only.'],
    })
    // The same call for treatment is another question.
    expect((await ask('lakeside/ehr')).status).toBe(200)
  })

  test('of a tenant forbids its own calls, and nobody else’s', async () => {
    const text = '@id("closed") @reason("We are closed.") forbid (principal, action, resource);'
    await inForce({ [own]: text }, 403, () => ask('lakeside/ehr'))
    expect(await refusalOf(await ask('lakeside/portal'))).toMatchObject({
      code: 'policy_denied',
      reasons: ['policy_denied', 'lakeside/closed: We are closed.'],
    })
    expect((await ask('prairie/trial')).status).toBe(200)
    expect((await ask('clinic/bench')).status).toBe(200)
    await inForce({}, 200, () => ask('lakeside/ehr'))
  })

  test('hides from the list of models what a call would refuse', async () => {
    const list = async () => {
      const headers = { authorization: `Bearer ${await house.key('lakeside/ehr')}` }
      const answer = await fetch(`${house.url}/v1/models`, { headers })
      return z
        .object({ data: z.array(z.object({ id: z.string() })) })
        .parse(await answer.json())
        .data.map(({ id }) => id)
    }
    const text =
      '@id("old-only") @reason("Not yet.") forbid (principal, action, resource == ModelVersion::"scribe@1.1.0");'
    await inForce({ [owners]: text }, 403, () => ask('lakeside/ehr', { model: 'scribe@1.1.0' }))
    expect(await list()).toEqual(['scribe'])
    await inForce({}, 200, () => ask('lakeside/ehr', { model: 'scribe@1.1.0' }))
    expect(await list()).toEqual(['scribe', 'scribe@1.1.0'])
  })

  test('is asked last: a call that the license does not grant is told that', async () => {
    await inForce({ [own]: '@id("closed") @reason("We are closed.") forbid (principal, action, resource);' }, 403, () =>
      ask('lakeside/ehr'),
    )
    expect(await refusalOf(await ask('lakeside/ehr', { model: 'scribe@1.2.0' }))).toMatchObject({
      code: 'version_recalled',
      reasons: ['version_recalled'],
    })
    await inForce({}, 200, () => ask('lakeside/ehr'))
  })

  test('that permits less than a license lets nothing else through', async () => {
    await house.declare({
      [owners]: () =>
        '@id("for-care") permit (principal, action, resource) when { context.purpose == Purpose::"TREAT" };',
    })
    const operations = () => ask('lakeside/ehr', {}, { 'formulary-purpose-of-use': 'HOPERAT' })
    await until('it is refused', 10_000, async () => (await operations()).status === 403)
    expect(await refusalOf(await operations())).toEqual({
      status: 403,
      code: 'policy_denied',
      message: 'No policy permits this use of `scribe` 1.0.0. Ask the licensing office.',
      reasons: ['policy_denied'],
    })
    expect((await ask('lakeside/ehr')).status).toBe(200)
    await inForce({}, 200, operations)
  })
})

test('the ledger says by which policies a call was permitted', async () => {
  const text = '@id("also") permit (principal, action, resource) when { context.purpose == Purpose::"HOPERAT" };'
  await inForce(
    {
      [owners]: `${text} @id("no-tests") @reason("No.") forbid (principal == Application::"clinic/bench", action, resource);`,
    },
    403,
    () => ask('clinic/bench'),
  )
  const rowOf = async (answer: Response) => {
    expect(answer.status).toBe(200)
    await answer.text()
    const requestId = answer.headers.get('x-request-id')
    return (await readLedger(house.database)).find((row) => row.requestId === requestId)?.policy
  }
  expect(await rowOf(await ask('lakeside/ehr'))).toEqual(['licensed-use'])
  expect(await rowOf(await ask('lakeside/ehr', {}, { 'formulary-purpose-of-use': 'HOPERAT' }))).toEqual([
    'also',
    'licensed-use',
  ])
  await inForce({}, 200, () => ask('clinic/bench'))
})

describe('revisions', () => {
  const load = () =>
    systemTransaction(house.database, 'administer', async (tx) => ({
      owner: await loadOwnerPolicies(tx),
      tenants: await loadTenantPolicies(tx, 'all'),
      rows: (await tx.selectFrom('tenant_policy_revision').select('revision').execute()).length,
    }))

  test('are appended, read like a diff, and not written twice', async () => {
    await declare({})
    const before = await load()
    await declare({})
    expect(await load()).toEqual(before)

    const text = '@id("new")\n@reason("New.")\nforbid (principal, action, resource) when { context.grace };'
    const tree = treeFor(house.host.url, { [owners]: (base) => base + text, [own]: (base) => `// A comment.\n${base}` })
    const read = readDeclarations(tree)
    if (!read.ok) throw new Error(read.error.map(({ message }) => message).join())
    const planned = await planDeclarations(house.database, read.value, instant(Date.now()))
    const revision = before.owner?.revision ?? 0
    // A comment between policies is no policy.
    expect(planned.ok ? formatPlan(planned.value).split('\n') : []).toEqual([
      `~ policy policies  revision ${revision} → ${revision + 1}`,
      `    new (policies/licensed-use.cedar)  (none) → @id("new") @reason("New.") forbid (principal, action, resource) when { context.grace };`,
      '',
      '0 to add, 1 to change, 0 to end.',
    ])
    await declare({ [owners]: text })
    const after = await load()
    expect(after.owner?.revision).toBe(revision + 1)
    expect(after.owner?.policies).toEqual([
      ...(before.owner?.policies ?? []),
      { file: owners, id: 'new', effect: 'forbid', reason: 'New.', text },
    ])
    expect(after.tenants).toEqual(before.tenants)
    await declare({})
  })

  test('of a tenant can be of a tenant only, and can hold nothing that permits', async () => {
    const tenantId = await systemTransaction(house.database, 'administer', async (tx) => {
      const row = await tx
        .selectFrom('tenant')
        .select('tenant_id')
        .where('tenant', '=', 'lakeside')
        .executeTakeFirstOrThrow()
      return row.tenant_id
    })
    const insert = (policies: unknown) =>
      tenantTransaction(house.database, tenantId, (tx) =>
        tx
          .insertInto('tenant_policy_revision')
          .values({
            tenant_id: tenantId,
            revision: 1000,
            policies: JSON.stringify(policies),
            effective_at: new Date(),
            recorded_by: 'a test',
            document_sha256: Buffer.alloc(32),
          })
          .execute(),
      )
    const permit = { file: own, id: 'mine', reason: '', text: 'permit (principal, action, resource);' }
    for (const policies of [
      [{ ...permit, effect: 'permit' }],
      [permit],
      [
        { ...permit, effect: 'forbid' },
        { ...permit, effect: 'permit' },
      ],
      {},
    ])
      await expect(insert(policies)).rejects.toThrow(/tenant_policy_only_forbids|tenant_policy_revision_is_a_list/)
  })
})

describe('a start without policies', () => {
  test('is said clearly, lets nothing through, and is over with the first apply', async () => {
    const logged: { event: string; facts: LogFacts | undefined }[] = []
    const note = (event: string, facts?: LogFacts) => void logged.push({ event, facts })
    const log: Log = { info() {}, warn: note, error: note }
    const bare = await openHouse({ log, declared: declareWithoutPolicies })
    try {
      expect(logged).toMatchObject([
        { event: 'policy.none_declared', facts: { advice: expect.stringContaining('formulary tenants apply') } },
      ])
      const ready = await fetch(`${bare.url}/readyz`)
      expect([ready.status, await ready.json()]).toEqual([
        503,
        { status: 'no policies declared: run formulary tenants apply' },
      ])
      const headers = { authorization: `Bearer ${await bare.key('lakeside/ehr')}`, 'content-type': 'application/json' }
      const body = JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'x' }] })
      const call = () => fetch(`${bare.url}/v1/chat/completions`, { method: 'POST', headers, body })
      const refused = await call()
      expect(refused.headers.get('retry-after')).toBe('60')
      expect(await refusalOf(refused)).toMatchObject({ status: 503, code: 'unavailable', reasons: ['unavailable'] })
      // An empty list would say that nothing is licensed.
      expect((await fetch(`${bare.url}/v1/models`, { headers })).status).toBe(503)
      expect((await fetch(`${bare.url}/v1/license`, { headers })).status).toBe(200)
      await declareTree(bare.database, bare.host.url)
      await until('calls are answered', 10_000, async () => (await call()).status === 200)
      expect((await fetch(`${bare.url}/readyz`)).status).toBe(200)
    } finally {
      await bare.stop()
    }
  })

  /** As a database that was written by an older program, but younger than the migration. */
  async function declareWithoutPolicies(database: Database, hostUrl: string): Promise<void> {
    const read = readDeclarations(treeFor(hostUrl))
    if (!read.ok) throw new Error('the test tree is refused')
    const now = instant(Date.now())
    await systemTransaction(database, 'apply-declarations', async (tx) => {
      const plan = planChanges(await loadCurrent(tx, now), read.value, now)
      if (!plan.ok) throw new Error('the test tree is refused')
      await applyChanges(
        tx,
        plan.value.changes.filter(({ what }) => what !== 'policy'),
        { ...reviewed(now), before: new Map() },
      )
    })
  }
})

describe('a database from before there were policies', () => {
  const migrated = async (isUsed: boolean) => {
    const adminUrl = inject('postgresAdminUrl')
    const name = `test_${randomBytes(8).toString('hex')}`
    const { ownerUrl, appUrl } = await ensureDatabase({ adminUrl, database: name, ...inject('postgresPasswords') })
    const migrations = await readMigrations()
    await migrateDatabase({ ownerUrl, migrations: migrations.filter((migration) => migration.name < '0020') })
    const database = openTestDatabase(appUrl)
    try {
      if (isUsed)
        await systemTransaction(database, 'administer', (tx) =>
          tx
            .insertInto('plan_revision')
            .values({
              plan: 'older',
              revision: 1,
              currency: 'USD',
              prices: '[]',
              effective_at: new Date(),
              document_sha256: Buffer.alloc(32),
            })
            .execute(),
        )
      await migrateDatabase({ ownerUrl, migrations })
      const owner = await systemTransaction(database, 'administer', (tx) => loadOwnerPolicies(tx))
      if (!isUsed) return { owner }
      await declareTree(database, 'http://model-host.test')
      const next = await systemTransaction(database, 'administer', (tx) => loadOwnerPolicies(tx))
      return { owner, next, digest: await digestOf(database, owner?.policies) }
    } finally {
      await database.close()
      await dropDatabase({ adminUrl, database: name })
    }
  }

  /** Of the list in its canonical form (RFC 8785): the order of the names is the order of their letters. */
  const digestOf = async (database: Database, policies: readonly KeptPolicy[] = []) => {
    const canonical = JSON.stringify(
      policies.map(({ effect, file, id, reason, text }) => ({ effect, file, id, reason, text })),
    )
    const made = await database.systemPool.query<{ digest: string }>(
      `select encode(sha256(convert_to($1, 'UTF8')), 'hex') as digest`,
      [canonical],
    )
    return made.rows[0]?.digest
  }

  test('goes on as it was: what a license grants is permitted, until the first apply says more', async () => {
    const { owner, next, digest } = await migrated(true)
    expect(owner).toMatchObject({
      revision: 1,
      policies: [
        { id: 'licensed-use', effect: 'permit', text: '@id("licensed-use")\npermit (principal, action, resource);' },
      ],
    })
    // The test tree says the same in the same file, so that there is nothing to write, and the digest is of what is declared.
    expect(next).toEqual(owner)
    expect(owner?.digest).toBe(digest)
  })

  test('that nobody used gets nothing', async () => {
    expect(await migrated(false)).toEqual({ owner: undefined })
  })
})
