import { afterAll, beforeAll, expect, test } from 'vitest'
import { runNotice } from '../../src/cli/commands/notice.ts'
import { runVersion } from '../../src/cli/commands/version.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant, plusDays } from '../../src/kernel/index.ts'
import { listNotices } from '../../src/release/index.ts'
import { signedOff } from '../../src/tenants/sample-tree.ts'
import { treeFor } from '../support/declarations.ts'
import { declareFiles, openHouse, type House } from '../support/house.ts'
import { until } from '../support/ledger.ts'

let house: House
const file = 'models/scribe.yaml'

beforeAll(async () => {
  house = await openHouse()
}, 60_000)
afterAll(() => house.stop())

/** The tree with a version more. */
const withVersion =
  (version: string, stage: string, more = '') =>
  (text: string) =>
    `${text}  - version: ${version}
    stage: ${stage}
    limits: { contextTokens: 8192, outputTokens: 1024 }${more}
    deployments:
      - { name: east, url: "MODEL-HOST/v1", model: scribe-new, region: us-east, weight: 1 }
`
const apply = (edit: (text: string) => string) =>
  declareFiles(house.database, treeFor(house.host.url, { [file]: edit }))

async function command(run: typeof runVersion, args: readonly string[], now = Date.now()) {
  const lines: string[] = []
  const io = { out: (line: string) => void lines.push(line), err: (line: string) => void lines.push(line) }
  const status = await run(args, { ...io, json: false, database: house.database, now: instant(now) })
  return { status, said: lines.join('\n') }
}
const version = (...args: readonly string[]) => command(runVersion, args)

async function models(path: string, application = 'lakeside/ehr') {
  const headers = { authorization: `Bearer ${await house.key(application)}` }
  const response = await fetch(`${house.url}/v1/models${path}`, { headers })
  return { status: response.status, body: JSON.stringify(await response.json()) }
}

test('a new version begins sealed once there is a catalog, whatever its file wishes', async () => {
  const refused = await apply(withVersion('1.5.0', 'expert'))
  expect(refused.join('\n')).toContain('scribe 1.5.0 cannot go to expert: it has no card')
  expect(refused.join('\n')).toContain('not signed off by: clinical, technical')
  expect(await apply(withVersion('1.5.0', 'sealed', signedOff('expert')))).toEqual([])
})

test('its file takes it one step when the file holds the sign-offs, and not back and up again by the same', async () => {
  expect(await apply(withVersion('1.5.0', 'expert', signedOff('expert')))).toEqual([])
  expect(await apply(withVersion('1.5.0', 'sealed', signedOff('expert')))).toEqual([])
  expect((await apply(withVersion('1.5.0', 'expert', signedOff('expert')))).join()).toContain('not signed off by')
  expect(await apply(withVersion('1.5.0', 'expert', signedOff('expert', '2026-11-21')))).toEqual([])
})

test('a card that is out only grows, and another upstream model is another version', async () => {
  const more = signedOff('expert', '2026-11-21')
  const changed = await apply(withVersion('1.5.0', 'expert', more.replace('knownRisks: Omissions', 'knownRisks: None')))
  expect(changed.join()).toContain('is out, and its card said something else under knownRisks')
  expect(await apply(withVersion('1.5.0', 'expert', more.replace('Omissions', 'Omissions; allergies')))).toEqual([])
  const swapped = withVersion('1.5.0', 'expert', more)
  expect((await apply((text) => swapped(text).replace('scribe-new', 'other'))).join()).toContain(
    'a version does not become another model',
  )
  expect((await version('show', 'scribe@1.5.0')).said).toContain('card    revision 2')
})

test('promotion waits for two people, and for a notice that has run out; who pins the older one reads it', async () => {
  const name = 'scribe@1.5.0'
  const reason = ['--reason', 'ratings']
  const sign = (to: string, role: string, by: string) =>
    version('sign-off', name, '--to', to, '--role', role, '--by', by, ...reason)
  for (const to of ['owner', 'licensed']) {
    expect((await version('promote', name, '--to', to, ...reason)).said).toContain('not signed off by')
    expect(await sign(to, 'clinical', 'Dr. Moreno')).toMatchObject({ status: 0 })
    expect(await sign(to, 'technical', 'Dr. Moreno')).toMatchObject({ status: 0 })
    expect((await version('promote', name, '--to', to, ...reason)).said).toContain('both sign-offs are by Dr. Moreno')
    expect(await sign(to, 'technical', 'Mr. Lund')).toMatchObject({ status: 0 })
    if (to === 'owner') expect(await version('promote', name, '--to', to, ...reason)).toMatchObject({ status: 0 })
  }
  expect((await version('promote', name, '--to', 'licensed', ...reason)).said).toContain(
    'these pin an older version and were not told: lakeside, prairie',
  )
  const short = await command(runNotice, ['issue', name, '--summary', 'New', '--days', '3'])
  expect(short).toMatchObject({ status: 1, said: expect.stringContaining('promises 30 days') })
  const past = plusDays(instant(Date.now()), -31)
  expect(await command(runNotice, ['issue', name, '--summary', 'New'])).toMatchObject({ status: 0 })
  expect((await version('promote', name, '--to', 'licensed', ...reason)).said).toContain('runs until')
  // A month ago.
  expect(await command(runNotice, ['issue', name, '--summary', 'New'], past)).toMatchObject({ status: 0 })
  expect((await models('/scribe@1.5.0')).status).toBe(404)
  expect(await version('promote', name, '--to', 'licensed', ...reason)).toMatchObject({ status: 0 })
  await until('it is listed', 5_000, async () => (await models('/scribe@1.5.0')).status === 200)

  const [open] = await systemTransaction(house.database, 'administer', (tx) => listNotices(tx, 'open'))
  expect(await command(runNotice, ['acknowledge', open?.noticeId ?? '', '--by', 'Lakeside'])).toMatchObject({
    status: 0,
  })
  const left = await systemTransaction(house.database, 'administer', (tx) => listNotices(tx, 'open'))
  expect(left).toHaveLength(3)
})

test('a model is shown with its card and every source attribute, and never to who may not use it', async () => {
  const { body } = await models('/scribe@1.5.0')
  const shown: unknown = JSON.parse(body)
  expect(shown).toMatchObject({
    id: 'scribe@1.5.0',
    pinned: false,
    pin: '1.0.0',
    stage: 'licensed',
    sunset: null,
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    card: { revision: 2, known_risks: 'Omissions; allergies' },
  })
  expect(shown).toHaveProperty('source_attributes.length', 31)
  expect(shown).toHaveProperty(['source_attributes', 0, 'citation'], '45 CFR 170.315(b)(11)(iv)(B)(1)(i)')
  // The bare name is the pin, and stays it.
  expect((await models('/scribe')).body).toContain('"version":"1.0.0"')
  for (const application of ['lakeside/portal', 'prairie/trial'])
    expect((await models('/scribe@1.5.0', application)).status, application).toBe(404)
})

test('a demotion and a recall are one act, a recall is for good, and both are in the audit log', async () => {
  expect(await version('demote', 'scribe@1.5.0', '--to', 'owner', '--reason', 'doubt')).toMatchObject({ status: 0 })
  expect(await version('recall', 'scribe@1.5.0', '--reason', 'doses')).toMatchObject({ status: 0 })
  for (const verb of ['promote', 'demote'])
    expect((await version(verb, 'scribe@1.5.0', '--to', 'expert', '--reason', 'x')).said).toContain('for good')
  const { rows } = await house.database.systemPool.query<{ action: string }>(
    `select distinct action from audit_entry where entity_id = 'scribe@1.5.0'`,
  )
  expect(rows.map(({ action }) => action).toSorted()).toEqual([
    'notice.issue',
    'version.add',
    'version.change',
    'version.demote',
    'version.promote',
    'version.recall',
    'version.sign_off',
  ])
})

test('a pin is served until its sunset, which is announced with its days of notice, and refused from then on', async () => {
  const license = 'prairie/license.yaml'
  const declare = (sunset: string) =>
    declareFiles(
      house.database,
      treeFor(house.host.url, {
        [file]: withVersion('1.5.0', 'owner'),
        [license]: (text) => text.replace('pin: 1.0.0,', `pin: 1.0.0, sunset: ${sunset},`),
      }),
    )
  const inDays = (days: number) => new Date(plusDays(instant(Date.now()), days)).toISOString()
  expect((await declare(inDays(29))).join()).toContain('less than the 30 days of notice')
  expect(await declare(inDays(31))).toEqual([])
  await until('its sunset is listed', 5_000, async () =>
    (await models('/scribe', 'prairie/trial')).body.includes('"sunset":"20'),
  )
  const notices = await systemTransaction(house.database, 'administer', (tx) => listNotices(tx, 'open'))
  expect(notices.filter(({ kind }) => kind === 'sunset')).toMatchObject([{ tenant: 'prairie', version: '1.0.0' }])
  // A model that promises no days: its sunset may be near.
  const near = new Date(Date.now() + 1_500).toISOString()
  const problems = await declareFiles(
    house.database,
    treeFor(house.host.url, {
      [file]: (text) =>
        withVersion('1.5.0', 'owner')(text).replace('protocol: openai', 'protocol: openai\nnoticeDays: 0'),
      [license]: (text) => text.replace('pin: 1.0.0,', `pin: 1.0.0, sunset: ${near},`),
    }),
  )
  expect(problems).toEqual([])
  const call = async () => {
    const response = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await house.key('prairie/trial')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'scribe', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }),
    })
    return { status: response.status, body: await response.text(), at: Date.now() }
  }
  expect((await call()).status).toBe(200)
  await until('its sunset refuses', 5_000, async () => (await call()).status !== 200)
  const refused = await call()
  expect(refused.at).toBeGreaterThanOrEqual(Date.parse(near))
  expect(refused).toMatchObject({ status: 403, body: expect.stringContaining('"code":"version_not_licensed"') })
  expect(refused.body).toContain('"sunset"')
})
