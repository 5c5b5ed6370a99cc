import { createServer } from 'node:http'
import { z } from 'zod'
import { systemTransaction, type Database } from '../../src/db/index.ts'
import { parseApiKey, revokeKey } from '../../src/identity/index.ts'
import { openPort } from '../../src/platform/node/open-port.ts'
import { instant, plusDays, type Instant } from '../../src/kernel/index.ts'
import { actOnLicense } from '../../src/licensing/index.ts'
import { applyDeclarations, formatProblem, readDeclarations } from '../../src/tenants/index.ts'
import { treeFor } from '../support/declarations.ts'
import { openHouse, reviewed, tester, testHostKey, type House } from '../support/house.ts'
import { licenseOf, modelFiles, models, namesOf, tenantFiles, tenantNames, type TenantName } from './declared-world.ts'

/** Keys of mercy's, and one for each other tenant's application on the ward. */
export type KeyName =
  | TenantName
  | 'portal'
  | 'without scopes'
  | 'suspended portal'
  | 'suspended without scopes'
  | 'withdrawn'
  | 'an hour late'
  | 'a week late'
  | 'of an ended application'

/** A house with a tenant for every state that a license can be in, two of which have made a call already. */
export interface World {
  readonly house: House
  /** A gateway that was started after all of this was arranged. */
  readonly url: string
  key(name: KeyName): string
  tenantId(name: TenantName): string
  /** The call that the tenant made before anything was tested. */
  requestId(name: 'mercy' | 'neighbor'): string
  /** What only this tenant may read: names, numbers, ids, keys, what it called. */
  secretsOf(tenant: TenantName): readonly string[]
  /** Where the models are, and with which credentials: nothing for a caller. */
  readonly insideWords: readonly string[]
  /** A host that callers name and nobody should ever call. */
  readonly decoy: Decoy
  stop(): Promise<void>
}

export async function openWorld(): Promise<World> {
  // A long lease: a busy machine must not let the house take itself for dead.
  const now = instant(Date.now())
  const house = await openHouse({
    environment: {
      LEASE_SECONDS: '60',
      // A Stripe that nobody can reach, so that its webhook is there.
      STRIPE_SECRET_KEY: 'sk_test_of_the_world',
      STRIPE_WEBHOOK_SECRET: 'whsec_of_the_world',
      STRIPE_API_BASE: 'http://127.0.0.1:9',
    },
    declared: (database, hostUrl) => declare(database, hostUrl, { now, tenants: tenantNames, closing: true }),
  })
  const decoy = await openDecoy()
  const stop = async () => {
    await house.stop()
    await decoy.close()
  }
  try {
    const keys = await mintKeys(house, now)
    const left = tenantNames.filter((tenant) => tenant !== 'gone')
    await declare(house.database, house.host.url, { now, tenants: left, closing: false })
    await actOn(house, { tenant: 'suspended', act: 'suspend', now })
    await actOn(house, { tenant: 'revoked', act: 'revoke', now })
    await moveResidency(house, { tenant: 'abroad', residency: ['eu-west'] })
    const tenantIds = await readTenantIds(house)
    const url = `http://127.0.0.1:${(await house.openAnother()).port}`
    const key = (name: KeyName) => required(keys.get(name), `a key ${name}`)
    const tenantId = (name: TenantName) => required(tenantIds.get(name), `the tenant ${name}`)
    const called = new Map<TenantName, string>([
      ['mercy', await callOnce(url, key('mercy'), models.licensed.chat)],
      ['neighbor', await callOnce(url, key('neighbor'), models.theNeighbors.chat)],
    ])
    return {
      house,
      url,
      key,
      tenantId,
      requestId: (name) => required(called.get(name), `a call of ${name}`),
      secretsOf: (tenant) => [
        ...namesOf(tenant),
        tenantId(tenant),
        ...[...keys].filter(([name]) => ownerOf(name) === tenant).flatMap(([, text]) => [text, keyIdOf(text)]),
        ...(called.has(tenant) ? [required(called.get(tenant), 'a call')] : []),
        ...(tenant === 'neighbor' ? Object.values(models.theNeighbors) : []),
      ],
      insideWords: [new URL(house.host.url).host, testHostKey, 'TEST_HOST_KEY'],
      decoy,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Decoy {
  readonly url: string
  connections(): number
  close(): Promise<void>
}

async function openDecoy(): Promise<Decoy> {
  let connections = 0
  const server = createServer((_request, response) => response.end())
  server.on('connection', () => connections++)
  const port = await openPort(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export const keyIdOf = (key: string): string => required(parseApiKey(key), 'an API key').keyId

export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is not ${what}`)
  return value
}

/** Keys are named after their tenant; all others are mercy's. */
const ownerOf = (key: KeyName): TenantName => tenantNames.find((tenant) => tenant === key.split(' ')[0]) ?? 'mercy'

async function declare(
  database: Database,
  hostUrl: string,
  what: { now: Instant; tenants: readonly TenantName[]; closing: boolean },
): Promise<void> {
  const read = readDeclarations([
    ...treeFor(hostUrl),
    ...modelFiles(hostUrl),
    ...what.tenants.flatMap((tenant) => tenantFiles(tenant, what)),
  ])
  const applied = read.ok ? await applyDeclarations(database, read.value, reviewed(what.now)) : read
  if (!applied.ok) throw new Error(applied.error.flatMap((problem) => formatProblem(problem, 'tenants')).join('\n'))
}

async function mintKeys(house: House, now: Instant): Promise<ReadonlyMap<KeyName, string>> {
  const keys = new Map<KeyName, string>([
    ['portal', await house.newKey('mercy/portal')],
    ['without scopes', await house.newKey('mercy/ward', { scopes: [] })],
    ['suspended portal', await house.newKey('suspended/portal')],
    ['suspended without scopes', await house.newKey('suspended/ward', { scopes: [] })],
    ['withdrawn', await house.newKey('mercy/ward')],
    ['an hour late', await house.newKey('mercy/ward', { days: 1, at: plusDays(now, -25 / 24) })],
    ['a week late', await house.newKey('mercy/ward', { days: 1, at: plusDays(now, -8) })],
    ['of an ended application', await house.newKey('mercy/closing')],
  ])
  for (const tenant of tenantNames) keys.set(tenant, await house.newKey(`${tenant}/ward`))
  const keyId = keyIdOf(keys.get('withdrawn') ?? '')
  const revoked = await systemTransaction(house.database, 'administer', (tx) =>
    revokeKey(tx, { keyId, reason: 'a test', actor: tester, now }),
  )
  if (!revoked.ok) throw new Error(`not revoked: ${revoked.error.reason}`)
  return keys
}

async function actOn(
  house: House,
  what: { tenant: TenantName; act: 'suspend' | 'revoke'; now: Instant },
): Promise<void> {
  const license = licenseOf(what.tenant)
  const acted = await systemTransaction(house.database, 'administer', (tx) =>
    actOnLicense(tx, { license, act: what.act, reason: 'a test', until: undefined, actor: tester, now: what.now }),
  )
  if (!acted.ok) throw new Error(`not done to ${license}: ${acted.error.reason}`)
}

/** Declarations that leave a license without a region are refused; a deployment that moves away leaves one so. */
async function moveResidency(house: House, to: { tenant: TenantName; residency: readonly string[] }): Promise<void> {
  await systemTransaction(house.database, 'administer', async (tx) => {
    const { terms, ...before } = await tx
      .selectFrom('license_revision')
      .selectAll()
      .where('license', '=', licenseOf(to.tenant))
      .executeTakeFirstOrThrow()
    const amended = { ...z.looseObject({}).parse(terms), residency: to.residency }
    await tx
      .insertInto('license_revision')
      .values({ ...before, revision: before.revision + 1, terms: JSON.stringify(amended) })
      .execute()
  })
}

async function readTenantIds(house: House): Promise<ReadonlyMap<string, string>> {
  const rows = await systemTransaction(house.database, 'administer', (tx) =>
    tx.selectFrom('tenant').select(['tenant', 'tenant_id']).execute(),
  )
  return new Map(rows.map((row) => [row.tenant, row.tenant_id]))
}

async function callOnce(url: string, key: string, model: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`no answer from ${model}: ${answer}`)
  return required(response.headers.get('x-request-id') ?? undefined, 'a request id')
}
