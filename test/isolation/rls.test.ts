import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { sql } from 'kysely'
import { systemTransaction, tenantTransaction } from '../../src/db/index.ts'
import { instant, plusDays, uuidV7 } from '../../src/kernel/index.ts'
import { appendAuditEntry } from '../../src/audit/index.ts'
import { actOnLicense, attest } from '../../src/licensing/index.ts'
import { acknowledgeNotice, appendCard, appendNotice, Card, cardTexts } from '../../src/release/index.ts'
import { loadUsage, untilUnfolded } from '../../src/metering/index.ts'
import { loadAccounts } from '../../src/quota/index.ts'
import { openHouse, tester, type House } from '../support/house.ts'
import { billTwo } from './bill-two.ts'
import { fillEdges } from './fill-edges.ts'
import { protectionFindings, tablesOf } from './row-security.ts'
import { withoutFilters } from './strip-filters.ts'
import { aRowOf, attempt, scopeFindings, tenantTableFindings, type TwoTenants } from './tenant-scope.ts'

let house: House
let owner: pg.Pool
let tenants: TwoTenants
const leave = new AbortController()
/** Held on to: an answer that is nobody's any more is given up by fetch, and its call ends. */
const inFlight: Response[] = []

beforeAll(async () => {
  house = await openHouse({ environment: { LEASE_SECONDS: '60' } })
  owner = new pg.Pool({ connectionString: house.databases.ownerUrl, max: 2 })
  tenants = await useByTwo()
})

/** Tables that are empty when nothing is under way or amiss. A batch of the past would be taken for a straggler. */
const fillSystemTables = () =>
  house.database.systemPool.query(
    `with batch as (
       insert into usage_batch (instance_id, lane, batch, events, ended, written_at)
       select instance_id, 99, 1, '[]', '[]', now() + interval '1 hour' from instance on conflict do nothing),
     shown as (insert into assertion_jti values ('lakeside.ehr', sha256('a'), now()) on conflict do nothing)
     insert into usage_batch_refused (instance_id, lane, batch, why, events, ended)
     select instance_id, 99, 1, 'tried', '[]', '[]' from instance on conflict do nothing`,
  )
afterAll(async () => {
  leave.abort()
  await owner.end()
  await house.stop()
})

test('every table is classified and protected as its kind asks, and the app role is bound', async () => {
  expect(await protectionFindings(owner)).toEqual([])
})

test('months of the ledger that are made later are protected like the first ones', async () => {
  const partitions = async () =>
    (await owner.query(`select from pg_inherits where inhparent = 'usage_event'::regclass`)).rowCount ?? 0
  const before = await partitions()
  await house.database.systemPool.query('select ensure_usage_months(5, 9)')
  expect(await partitions()).toBeGreaterThan(before)
  expect(await protectionFindings(owner)).toEqual([])
})

test('a tenant sees and writes its own rows only, whatever its queries say', async () => {
  await fillSystemTables()
  expect(await scopeFindings(house.database, tenants)).toEqual([])
})

test('a partition cannot be reached but through the whole ledger', async () => {
  const { rows } = await owner.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'usage_event'::regclass`,
  )
  expect(rows.length).toBeGreaterThan(2)
  for (const { name } of rows)
    for (const pool of [house.database.tenantPool, house.database.systemPool])
      await expect(pool.query(`select * from ${name}`)).rejects.toMatchObject({ code: '42501' })
})

test('the role that owns the tables reads no row in them either', async () => {
  for (const table of [...tablesOf('tenant'), ...tablesOf('shared'), ...tablesOf('system')])
    expect([table, (await owner.query(`select from ${table}`)).rowCount]).toEqual([table, 0])
})

test('a connection that has served a tenant does not remember it', async () => {
  const client = await house.database.tenantPool.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('app.tenant_id', $1, true)`, [tenants.mine])
    expect((await client.query('select * from usage_event')).rowCount).toBeGreaterThan(0)
    await client.query('commit')
    await expect(client.query('select * from usage_event')).rejects.toMatchObject({ code: '22P02' })
  } finally {
    client.release()
  }
})

test('a tenant transaction that is told a text for its tenant is refused', async () => {
  for (const text of ['', 'lakeside', `' or true --`, `${tenants.mine},${tenants.theirs}`])
    expect(await attempt(house.database, text, sql`select * from usage_event`)).toMatchObject({ refused: '22P02' })
})

describe('a store that loses its tenant filters gives the same', () => {
  const everything = { from: instant(0), to: plusDays(instant(Date.now()), 1), after: undefined, rowsMax: 1000 }

  test('of the ledger', async () => {
    const careless = withoutFilters(house.database)
    const usage = await tenantTransaction(house.database, tenants.mine, (tx) => loadUsage(tx, everything))
    expect(usage.length).toBeGreaterThan(0)
    expect(await tenantTransaction(careless.database, tenants.mine, (tx) => loadUsage(tx, everything))).toEqual(usage)
    expect(careless.stripped()).toBe(1)
    // What the filter would have hidden is there: without row security the same query shows it.
    const all = await systemTransaction(careless.database, 'administer', (tx) => loadUsage(tx, everything))
    expect(all.length).toBeGreaterThan(usage.length)
  })

  test('of the budgets, even where another tenant has an account of the same name', async () => {
    await copyAccounts({ from: tenants.mine, to: tenants.theirs })
    const load = (database: typeof house.database) =>
      tenantTransaction(database, tenants.mine, (tx) => loadAccounts(tx, 'LIC-LAKESIDE'))
    const careless = withoutFilters(house.database)
    const accounts = await load(house.database)
    expect(accounts.length).toBeGreaterThan(0)
    expect(await load(careless.database)).toEqual(accounts)
    expect(careless.stripped()).toBe(1)
    const all = await systemTransaction(careless.database, 'administer', (tx) => loadAccounts(tx, 'LIC-LAKESIDE'))
    expect(all.length).toBeGreaterThan(accounts.length)
  })
})

describe('a hole is found', () => {
  const scope = `case when current_setting('app.system', true) = 'on' then true
    else tenant_id = current_setting('app.tenant_id')::uuid end`
  /** `mend` undoes it, so that the next one starts from a sound database. `inside`: what a tenant can then do. */
  const holes = (table: string) => [
    {
      hole: 'row security off',
      plant: `alter table ${table} disable row level security; alter table ${table} no force row level security`,
      mend: `alter table ${table} enable row level security; alter table ${table} force row level security`,
      finding: 'row security is not enabled',
      inside: 'a query without a filter shows rows of another tenant',
    },
    {
      hole: 'row security not forced',
      plant: `alter table ${table} no force row level security`,
      mend: `alter table ${table} force row level security`,
      finding: 'row security is not forced',
      // The table's owner alone gains by it, and the app is not the owner.
      inside: undefined,
    },
    {
      hole: 'a second policy that lets everything through',
      plant: `create policy planted on ${table} for all to public using (true)`,
      mend: `drop policy planted on ${table}`,
      finding: 'has the policies',
      inside: 'a query without a filter shows rows of another tenant',
    },
    {
      hole: 'a policy that takes a missing scope for every scope',
      plant: `alter policy own_rows on ${table}
        using (tenant_id::text = coalesce(nullif(current_setting('app.tenant_id', true), ''), tenant_id::text))`,
      mend: `alter policy own_rows on ${table} using (${scope})`,
      finding: 'has the policies',
      inside: 'a query without a scope is answered',
    },
    {
      hole: 'a policy that does not check what is written',
      plant: `alter policy own_rows on ${table} with check (true)`,
      mend: `alter policy own_rows on ${table} with check (${scope})`,
      finding: 'has the policies',
      inside: 'an insert for another tenant is not refused by a policy',
    },
  ]

  describe.each(tablesOf('tenant'))('in %s', (table) => {
    test.each(holes(table))('$hole', async ({ plant, mend, finding, inside }) => {
      await owner.query(plant)
      try {
        expect((await protectionFindings(owner)).join('\n')).toContain(`${table}: ${finding}`)
        const findings = await tenantTableFindings(house.database, table, tenants)
        if (inside === undefined) expect(findings).toEqual([])
        else expect(findings).toContain(`${table}: ${inside}`)
      } finally {
        await owner.query(mend)
      }
      expect(await protectionFindings(owner)).toEqual([])
    })
  })

  test.each([
    {
      hole: 'a table that nobody has classified',
      plant: 'create table planted (tenant_id uuid)',
      mend: 'drop table planted',
      finding: 'planted: is not classified',
    },
    {
      hole: 'a view',
      plant: 'create view planted as select * from usage_event',
      mend: 'drop view planted',
      finding: 'planted: is not classified',
    },
    {
      hole: 'a right on a partition',
      plant: 'grant select on usage_event_default to formulary_app',
      mend: 'revoke select on usage_event_default from formulary_app',
      finding: 'usage_event_default: the app role may select there, and not: ',
    },
    {
      hole: 'a partition without row security',
      plant: 'alter table usage_event_default disable row level security',
      mend: 'alter table usage_event_default enable row level security',
      finding: 'usage_event_default: row security is not enabled',
    },
    {
      hole: 'a right more than is needed',
      plant: 'grant update on usage_event to formulary_app',
      mend: 'revoke update on usage_event from formulary_app',
      finding: 'usage_event: the app role may insert, select, update there, and not: insert, select',
    },
    {
      hole: 'a right for everybody',
      plant: 'grant select on usage_event to public',
      mend: 'revoke select on usage_event from public',
      finding: 'usage_event: somebody else has a grant, or there is one on a column',
    },
    {
      hole: 'a right on one column',
      plant: 'grant select (charge_picos) on usage_event to formulary_app',
      mend: 'revoke select (charge_picos) on usage_event from formulary_app',
      finding: 'usage_event: somebody else has a grant, or there is one on a column',
    },
    {
      hole: 'a function that runs as the owner',
      plant: `create function planted() returns bigint language sql security definer as 'select count(*) from usage_event'`,
      mend: 'drop function planted()',
      finding: 'formulary_app: runs as the owner: ensure_audit_months, ensure_usage_months, planted',
    },
    {
      hole: 'an app role that may make tables',
      plant: 'grant create on schema public to formulary_app',
      mend: 'revoke create on schema public from formulary_app',
      finding: 'formulary_app: may create something',
    },
  ])('$hole', async ({ plant, mend, finding }) => {
    await owner.query(plant)
    try {
      expect(await protectionFindings(owner)).toContain(finding)
    } finally {
      await owner.query(mend)
    }
    expect(await protectionFindings(owner)).toEqual([])
  })
})

/** Rows of two tenants in every table, made by use: a key, an answer, a suspension that is over, a call in flight. */
async function useByTwo(): Promise<TwoTenants> {
  const users = [
    { tenant: 'lakeside', application: 'lakeside/ehr', license: 'LIC-LAKESIDE' },
    { tenant: 'prairie', application: 'prairie/trial', license: 'LIC-PRAIRIE' },
  ]
  for (const { tenant, application, license } of users) {
    const answer = await chat(application, {})
    expect(answer.status).toBe(200)
    await answer.text()
    await systemTransaction(house.database, 'administer', async (tx) => {
      const wish = { license, reason: 'a test', until: undefined, actor: tester, now: instant(Date.now()) }
      await actOnLicense(tx, { ...wish, act: 'suspend' })
      await actOnLicense(tx, { ...wish, act: 'resume' })
      await attest(tx, { ...wish, kind: 'training', attestedAt: wish.now, validUntil: undefined })
      await appendAuditEntry(tx, {
        tenantId: await tenantIdOf(tenant),
        at: wish.now,
        action: 'license.look',
        agent: { kind: 'system', name: 'a test', roles: [] },
        entity: { type: 'license', id: license },
        outcome: 'done',
        reason: undefined,
        facts: {},
      })
      const noticeId = await appendNotice(tx, {
        tenant,
        kind: 'new_version',
        model: 'scribe',
        version: '1.1.0',
        summary: 'a test',
        issuedAt: wish.now,
        effectiveAt: wish.now,
        issuedBy: 'a test',
      })
      const [, program = ''] = application.split('/')
      const owned = { tenant_id: await tenantIdOf(tenant), application: program }
      await tx
        .insertInto('client')
        .values({ ...owned, client_id: `${tenant}.${program}`, profile: 'smart', jwks_uri: 'https://keys.example' })
        .execute()
      await tx
        .insertInto('revoked_token')
        .values({ ...owned, jti: uuidV7(wish.now, new Uint8Array(10)), expires_at: new Date(wish.now + 3_600_000) })
        .execute()
      const card = Card.parse(Object.fromEntries(cardTexts.map((text) => [text, 'a test'])))
      await appendCard(tx, { model: 'scribe', version: '1.0.0', card, document: '{}', by: 'a test' })
      const actor = { kind: 'system', name: 'a test', roles: [], tenantId: undefined } as const
      const acknowledged = await acknowledgeNotice(tx, { noticeId: noticeId ?? '', actor, now: wish.now })
      expect(acknowledged.ok).toBe(true)
    })
  }
  await untilUnfolded(house.database)
  const billed = users.map(async ({ tenant, license }) => ({ license, tenantId: await tenantIdOf(tenant) }))
  await billTwo(house.database, await Promise.all(billed))
  await fillEdges(house.database, await Promise.all(users.map(({ tenant }) => tenantIdOf(tenant))))
  house.host.setKnobs({ stallAfterChunks: 1 })
  for (const { application } of users) inFlight.push(await chat(application, { stream: true }))
  const [mine = '', theirs = ''] = await Promise.all(users.map(({ tenant }) => tenantIdOf(tenant)))
  for (const table of tablesOf('tenant'))
    for (const tenantId of [mine, theirs])
      await vi.waitFor(async () => expect(await aRowOf(house.database, table, tenantId), table).toBeDefined(), 10_000)
  return { mine, theirs }
}

const chat = async (application: string, more: object) =>
  fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.key(application)}` },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }], ...more }),
    signal: leave.signal,
  })

const tenantIdOf = (tenant: string): Promise<string> =>
  systemTransaction(house.database, 'administer', async (tx) => {
    const row = tx.selectFrom('tenant').select('tenant_id').where('tenant', '=', tenant)
    return (await row.executeTakeFirstOrThrow()).tenant_id
  })

/** Gives a tenant accounts under the names of another's, as it would have if both licenses bore one number. */
async function copyAccounts(tenant: { from: string; to: string }): Promise<void> {
  await systemTransaction(house.database, 'administer', async (tx) => {
    const accounts = await tx.selectFrom('budget_account').selectAll().where('tenant_id', '=', tenant.from).execute()
    for (const account of accounts)
      await tx
        .insertInto('budget_account')
        .values({ ...account, tenant_id: tenant.to, settled: '7', leased: '0' })
        .execute()
  })
}
