import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { main } from '../../src/cli/main.ts'
import { endAllCommands, formulary, runCommand } from '../support/command.ts'
import { treeFor } from '../support/declarations.ts'
import { openHouse, testPepper, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'

let house: House
let tenantsDir: string

beforeAll(async () => {
  house = await openHouse()
  tenantsDir = mkdtempSync(join(tmpdir(), 'formulary-cli-'))
  for (const { path, text } of treeFor(house.host.url)) {
    mkdirSync(join(tenantsDir, dirname(path)), { recursive: true })
    writeFileSync(join(tenantsDir, path), text)
  }
})
afterAll(async () => {
  endAllCommands()
  rmSync(tenantsDir, { recursive: true, force: true })
  await house.stop()
})

const environment = () => ({
  DATABASE_URL: house.databases.appUrl,
  DATABASE_OWNER_URL: house.databases.ownerUrl,
  KEY_PEPPER: testPepper,
  TENANTS_DIR: tenantsDir,
})

/** The command as an operator has it, a process of its own: the app role's database, and the owner's for migrations. */
async function spawned(program: string, ...args: readonly string[]) {
  const command = runCommand(program, args, { environment: environment() })
  const { status } = await command.ended
  return { status, out: command.stdout(), err: command.stderr() }
}
const cli = (...args: readonly string[]) => spawned(process.execPath, formulary, ...args)

/** The same in this process, for what need not be seen from outside. */
async function inProcess(args: readonly string[], changed: Readonly<Record<string, string>> = {}) {
  const said = { out: '', err: '' }
  const status = await main(args, {
    environment: { ...environment(), ...changed },
    out: (line) => void (said.out += `${line}\n`),
    err: (line) => void (said.err += `${line}\n`),
  })
  return { status, ...said }
}

const Made = z.object({ key: z.string(), keyId: z.string(), expiresAt: z.iso.datetime() })
const Rotated = Made.extend({ oldKeyEndsAt: z.iso.datetime() })
const Listed = z.array(
  z.object({ keyId: z.string(), tenant: z.string(), application: z.string(), revokedAt: z.string().nullable() }),
)

/** What --json prints is one JSON value and nothing else. */
async function json<T>(schema: z.ZodType<T>, ...args: readonly string[]): Promise<T> {
  const { status, out, err } = await cli(...args, '--json')
  expect({ status, err }).toEqual({ status: 0, err: '' })
  return schema.parse(JSON.parse(out))
}

const statusWith = async (key: string) =>
  (await fetch(`${house.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status

async function call(key: string) {
  const response = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'scribe', messages: [{ role: 'user', content: 'hello' }] }),
  })
  const text = await response.text()
  return { status: response.status, code: /"code":"([a-z_]+)"/.exec(text)?.[1] }
}

test('a key that was made works at once, and one that was revoked no more within a second', async () => {
  const made = await json(Made, 'key', 'create', 'lakeside/ehr', '--days', '7', '--scope', 'chat')
  expect(await statusWith(made.key)).toBe(200)
  expect(Math.round((Date.parse(made.expiresAt) - Date.now()) / 86_400_000)).toBe(7)
  const revoked = await cli('key', 'revoke', made.keyId, '--reason', 'lost')
  expect(revoked).toMatchObject({ status: 0, err: '' })
  await until('it is refused', 1_000, async () => (await statusWith(made.key)) === 401)
  expect((await cli('key', 'revoke', made.keyId)).status).toBe(0)
})

test('of a rotated key both work while they overlap, then only the new one', async () => {
  const old = await json(Made, 'key', 'create', 'lakeside/ehr')
  const rotated = await json(Rotated, 'key', 'rotate', old.keyId, '--overlap-hours', '0.001')
  const overlapMs = Date.parse(rotated.oldKeyEndsAt) - Date.now()
  expect([await statusWith(old.key), await statusWith(rotated.key)]).toEqual([200, 200])
  await until('the old one is refused', overlapMs + 1_000, async () => (await statusWith(old.key)) === 401)
  expect(await statusWith(rotated.key)).toBe(200)
})

test('a rotation without overlap ends the old key at once', async () => {
  const old = await json(Made, 'key', 'create', 'lakeside/ehr')
  const rotated = await json(Rotated, 'key', 'rotate', old.keyId, '--overlap-hours', '0')
  await until('the old one is refused', 1_000, async () => (await statusWith(old.key)) === 401)
  expect(await statusWith(rotated.key)).toBe(200)
})

test('an admin token is made for a person, listed without its secret, and ended', async () => {
  const made = await json(
    z.object({ token: z.string(), tokenId: z.string() }),
    'admin-token',
    'create',
    'Ada',
    '--role',
    'licensing',
  )
  expect(made.token).toMatch(/^fma_live_/)
  const listed = await inProcess(['admin-token', 'list'])
  expect(listed.out).toContain(`${made.tokenId}  Ada  licensing  expires`)
  expect(listed.out).not.toContain(made.token)
  expect((await inProcess(['admin-token', 'revoke', made.tokenId, '--reason', 'a test'])).status).toBe(0)
  expect((await inProcess(['admin-token', 'list'])).out).toContain('revoked')
  await inProcess(['admin-token', 'create', 'Report', '--role', 'finance', '--scope', 'read', '--days', '365'])
  expect((await inProcess(['admin-token', 'list'])).out).toMatch(
    /Report {2}finance {2}only read {2}expires .* {2}never used/,
  )
  const longer = await inProcess(['admin-token', 'create', 'Report', '--role', 'finance', '--days', '366'])
  expect(longer).toMatchObject({ status: 1, err: expect.stringContaining('from 1 to 365') })
  const wrong = await inProcess(['admin-token', 'create', 'Ben', '--role', 'tenant-admin'])
  expect(wrong).toMatchObject({ status: 1, err: expect.stringContaining('name it with --tenant') })
})

test('keys are listed without their secret, for one tenant or for all', async () => {
  const made = await json(Made, 'key', 'create', 'prairie/trial')
  const own = await json(Listed, 'key', 'list', 'prairie')
  expect(own).toEqual([expect.objectContaining({ keyId: made.keyId, application: 'trial', revokedAt: null })])
  const all = await json(Listed, 'key', 'list')
  expect(all.length).toBeGreaterThan(own.length)
  const text = await cli('key', 'list', 'prairie')
  expect(text.out).toMatch(new RegExp(`^${made.keyId}  prairie/trial  chat  expires 20`))
  expect(text.out).not.toContain(made.key)
})

test('a suspended license refuses calls until it is resumed, and a revoked one for good', async () => {
  const key = await house.newKey('prairie/trial')
  expect((await call(key)).status).toBe(200)
  const State = z.object({ license: z.string(), tenant: z.string(), state: z.string() })
  const acts = async (verb: string) => (await json(State, 'license', verb, 'LIC-PRAIRIE', '--reason', 'payment')).state
  expect(await acts('suspend')).toBe('suspended')
  await until('it is refused', 1_000, async () => (await call(key)).code === 'license_suspended')
  expect(await acts('resume')).toBe('active')
  await until('it is accepted', 1_000, async () => (await call(key)).status === 200)
  expect(await cli('license', 'resume', 'LIC-PRAIRIE', '--reason', 'again')).toEqual({
    status: 1,
    out: '',
    err: 'formulary: LIC-PRAIRIE is active; there is nothing to resume\n',
  })
  expect(await acts('revoke')).toBe('revoked')
  await until('it is refused', 1_000, async () => (await call(key)).code === 'license_revoked')
  expect((await cli('license', 'resume', 'LIC-PRAIRIE', '--reason', 'x')).err).toContain('that is for good')
})

test('a license is shown as it stands, with what was done to it', async () => {
  await cli('license', 'suspend', 'LIC-OWNER', '--reason', 'drill', '--until', '2099-01-01')
  await cli('license', 'resume', 'LIC-OWNER', '--reason', 'drill over')
  const text = await cli('license', 'show', 'LIC-OWNER')
  expect(text).toMatchObject({ status: 0, err: '' })
  expect(text.out).toMatch(/^LIC-OWNER is active, revision 1, plan standard\n/)
  expect(text.out).toContain('grants  scribe >=1.0.0, pinned to 2.0.0, for expert (HTEST)')
  expect(text.out).toMatch(/suspend: drill\n.*resume: drill over\n$/)
  const Shown = z.object({ state: z.literal('active'), acts: z.array(z.object({ act: z.string() })).length(2) })
  await json(Shown, 'license', 'show', 'LIC-OWNER')
})

test('the usage report adds up the ledger', async () => {
  const key = await house.newKey('lakeside/portal')
  expect((await call(key)).status).toBe(200)
  const Report = z.array(
    z.object({
      tenant: z.string(),
      application: z.string(),
      calls: z.string(),
      charge: z.string(),
      currency: z.string(),
    }),
  )
  const totals = await json(Report, 'usage', 'report', '--tenant', 'lakeside')
  expect(totals).toContainEqual(
    expect.objectContaining({ tenant: 'lakeside', application: 'portal', calls: '1', currency: 'USD' }),
  )
  const text = await cli('usage', 'report')
  expect(text.out.split('\n')[0]?.split(/\s+/)).toEqual([
    'tenant',
    'application',
    'model',
    'calls',
    'input',
    'output',
    'inferences',
    'charge',
  ])
  expect((await cli('usage', 'report', '--from', '2020-01-01', '--to', '2020-02-01')).out).toBe(
    'Nothing was used in this time.\n',
  )
})

test('a plan shows what would change, an apply does it, and a second one changes nothing', async () => {
  const Applied = z.object({ applied: z.boolean(), changes: z.array(z.looseObject({})), notes: z.array(z.unknown()) })
  expect((await json(Applied, 'tenants', 'plan')).changes).toEqual([])
  const path = join(tenantsDir, 'lakeside/tenant.yaml')
  writeFileSync(path, readFileSync(path, 'utf8').replace('Lakeside North', 'Lakeside Northwest'))
  const planned = await cli('tenants', 'plan')
  expect(planned).toMatchObject({ status: 0, err: '' })
  expect(planned.out).toContain('Lakeside Northwest')
  expect((await json(Applied, 'tenants', 'plan')).changes).toHaveLength(1)
  const applied = await json(Applied, 'tenants', 'apply')
  expect(applied).toMatchObject({ applied: true, changes: [expect.anything()] })
  expect((await json(Applied, 'tenants', 'apply')).changes).toEqual([])
})

test('declarations that are wrong are refused with their place, and change nothing', async () => {
  const path = join(tenantsDir, 'lakeside/license.yaml')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace('plan: standard', 'plan: standart'))
  try {
    const refused = await cli('tenants', 'apply')
    expect(refused.status).toBe(1)
    expect(refused.err).toContain('lakeside/license.yaml:2:7')
    const asJson = await cli('tenants', 'apply', '--json')
    expect(asJson.status).toBe(1)
    expect(JSON.parse(asJson.out)).toMatchObject({ applied: false, problems: [expect.anything()] })
  } finally {
    writeFileSync(path, text)
  }
})

test('a database that is up to date says so', async () => {
  expect(await cli('db', 'migrate')).toEqual({ status: 0, out: 'The database is up to date.\n', err: '' })
  expect(await json(z.object({ applied: z.array(z.string()) }), 'db', 'migrate')).toEqual({ applied: [] })
})

test('npx finds the command in the checkout', async () => {
  const helped = await spawned('npx', 'formulary', 'help')
  expect(helped).toMatchObject({ status: 0, err: '' })
  expect(helped.out).toMatch(/^usage: formulary <noun> <verb>/)
})

const misused: readonly (readonly [args: string, says: string])[] = [
  ['bogus', 'there is no `bogus`: formulary help lists what there is'],
  ['start now', "Unexpected argument 'now'"],
  ['serve --loud', "Unknown option '--loud'"],
  ['db', 'formulary db migrate'],
  ['db migrate --down', "Unknown option '--down'"],
  ['db migrate twice', 'formulary db migrate'],
  ['key', 'formulary key create|rotate|revoke|list'],
  ['admin-token', 'formulary admin-token create|list|revoke'],
  ['admin-token create', 'whose, and for what?'],
  ['decision', 'formulary decision replay <request id>'],
  ['key frobnicate', 'formulary key create|rotate|revoke|list'],
  ['key create', 'whose key?'],
  ['key create lakeside', 'whose key?'],
  ['key create lakeside/ehr/x', 'whose key?'],
  ['key create lakeside/ehr --days 0', '--days must be a whole number from 1 to 400'],
  ['key create lakeside/ehr --days 1e1', '--days must be a whole number from 1 to 400'],
  ['key create lakeside/ehr --forever', "Unknown option '--forever'"],
  ['key create lakeside/ehr --days', "Option '--days <value>' argument missing"],
  ['key rotate', 'which key?'],
  ['key rotate x --overlap-hours soon', '--overlap-hours must be a number from 0 to 720'],
  ['key revoke', 'which key?'],
  ['key revoke x y', '`key revoke` does not take `y`'],
  ['license', 'formulary license show|history|draft'],
  ['license show', 'which license?'],
  ['license suspend LIC-OWNER', 'say why'],
  ['license suspend LIC-OWNER --reason x --until tomorrow', '--until must be a day or a time with its zone'],
  ['license suspend LIC-OWNER --reason x --until 2099-01-01T00:00', '--until must be a day or a time with its zone'],
  ['license revoke LIC-OWNER --reason x --until 2099-01-01', '--until goes with suspend only'],
  ['usage', 'formulary usage report'],
  ['usage report --from yesterday', '--from and --to are days or times'],
  ['usage report --from 2026-02-01 --to 2026-01-01', '--from must come before --to'],
]

const refused: readonly (readonly [args: string, reason: string, says: string])[] = [
  ['key create nobody/ehr', 'tenant_not_found', 'there is no tenant nobody'],
  ['key create lakeside/nothing', 'application_not_found', 'lakeside has no application nothing'],
  ['key create lakeside/ehr --scope infer', 'scope_not_granted', 'does not have the scope infer'],
  ['key revoke nokey', 'key_not_found', 'there is no live key nokey'],
  ['key rotate nokey', 'key_not_found', 'there is no live key nokey'],
  ['key list nobody', 'tenant_not_found', 'there is no tenant nobody'],
  ['license show LIC-NONE', 'license_not_found', 'there is no license LIC-NONE'],
  ['license suspend LIC-NONE --reason x', 'license_not_found', 'there is no license LIC-NONE'],
  ['license suspend LIC-OWNER --reason x --until 2020-01-01', 'until_is_past', '--until lies in the past'],
  ['usage report --tenant nobody', 'tenant_not_found', 'there is no tenant nobody'],
]

test.each(misused)('formulary %s: one line that says what is wrong, status 2', async (args, says) => {
  const outcome = await inProcess(args.split(' '))
  expect(outcome).toMatchObject({ status: 2, out: '' })
  expect(outcome.err).toMatch(/^formulary: [^\n]+\n$/)
  expect(outcome.err).toContain(says)
})

test.each(refused)(
  'formulary %s: refused in one line, status 1, and with --json in JSON',
  async (args, reason, says) => {
    const outcome = await inProcess(args.split(' '))
    expect(outcome).toMatchObject({ status: 1, out: '' })
    expect(outcome.err).toMatch(/^formulary: [^\n]+\n$/)
    expect(outcome.err).toContain(says)
    const asJson = await inProcess([...args.split(' '), '--json'])
    expect(asJson).toMatchObject({ status: 1, err: '' })
    expect(JSON.parse(asJson.out)).toEqual({ error: { reason, message: expect.stringContaining(says) } })
  },
)

test('what a process says and how it ends is the same', async () => {
  expect(await cli('bogus')).toEqual(await inProcess(['bogus']))
  expect(await cli('key', 'list', 'nobody')).toEqual(await inProcess(['key', 'list', 'nobody']))
  expect(await cli()).toMatchObject({ status: 2, out: '' })
})

const databaseWith = (change: (url: URL) => void) => () => {
  const url = new URL(house.databases.appUrl)
  change(url)
  return { DATABASE_URL: url.href }
}
test.each([
  ['a database that is not there', databaseWith((url) => (url.port = '1')), 'cannot be reached'],
  ['a wrong password', databaseWith((url) => (url.password = 'canary')), 'refuses the login'],
  ['another database', databaseWith((url) => (url.pathname = '/nothing')), 'refuses the login'],
  ['a database without a schema', databaseWith((url) => (url.pathname = '/postgres')), 'formulary db migrate'],
  ['a database that is no URL', () => ({ DATABASE_URL: 'canary' }), 'DATABASE_URL is not a URL'],
  ['an owner that is no URL', () => ({ DATABASE_OWNER_URL: 'canary' }), 'DATABASE_OWNER_URL is not a URL'],
  ['no pepper', () => ({ KEY_PEPPER: '' }), 'KEY_PEPPER is not set'],
  ['a short pepper', () => ({ KEY_PEPPER: 'canary' }), 'KEY_PEPPER is shorter than 32 characters'],
])('%s is one line without any secret, status 1', async (_what, changed, says) => {
  const outcome = await inProcess(['key', 'create', 'lakeside/ehr'], changed())
  expect(outcome).toMatchObject({ status: 1, out: '' })
  expect(outcome.err).toMatch(/^formulary: [^\n]+\n$/)
  expect(outcome.err).toContain(says)
  expect(outcome.err).not.toContain('canary')
})

test('from another folder the command still knows its own migrations', async () => {
  const command = runCommand(process.execPath, [formulary, 'db', 'migrate'], {
    cwd: tmpdir(),
    environment: environment(),
  })
  expect((await command.ended).status).toBe(0)
  expect(command.stdout()).toBe('The database is up to date.\n')
})
