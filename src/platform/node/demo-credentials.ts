import { randomBytes } from 'node:crypto'
import { systemTransaction, type Database, type Tx } from '../../db/index.ts'
import {
  adminTokenDaysMax,
  authenticateAdmin,
  createAdminToken,
  createKey,
  keyDaysMax,
  listKeys,
  parseApiKey,
  type Actor,
  type KeyMaking,
} from '../../identity/index.ts'
import { assert, instant, type Instant } from '../../kernel/index.ts'
import { readPeppers } from './config.ts'
import type { DevelopmentFacts } from './development.ts'
import { nodeHmac } from './ports.ts'

type Made = Pick<DevelopmentFacts, 'keys' | 'ownerToken'>

const actor: Actor = { kind: 'system', name: 'npm start', roles: [], tenantId: undefined }

/**
 * What lets a developer begin at once: a key per application, and an admin token of an owner-admin. Those of an earlier start
 * are kept while they work.
 */
export function demoCredentials(database: Database, keyPepper: string, before: Made): Promise<Made> {
  const now = instant(Date.now())
  const peppers = readPeppers(keyPepper)
  const making: KeyMaking = {
    hmac: nodeHmac,
    pepper: peppers.current,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  }
  return systemTransaction(database, 'administer', async (tx) => {
    const needs = { hmac: nodeHmac, pepper: (version: number) => peppers.find(version) }
    const live = await authenticateAdmin(tx, needs, before.ownerToken, now)
    return {
      ownerToken: live === undefined ? await makeOwnerToken(tx, making, now) : before.ownerToken,
      keys: await makeKeys(tx, making, { known: before.keys, now }),
    }
  })
}

async function makeOwnerToken(tx: Tx, making: KeyMaking, now: Instant): Promise<string> {
  const made = await createAdminToken(tx, making, {
    name: 'npm start',
    roles: ['owner-admin'],
    tenant: undefined,
    days: adminTokenDaysMax,
    actor,
    now,
  })
  assert(made.ok, 'the development database is full of admin tokens')
  return made.value.text.reveal()
}

async function makeKeys(
  tx: Tx,
  making: KeyMaking,
  { known, now }: { known: Readonly<Record<string, string>>; now: Instant },
): Promise<Record<string, string>> {
  const applications = await tx
    .selectFrom('application')
    .innerJoin('tenant', 'tenant.tenant_id', 'application.tenant_id')
    .select(['tenant.tenant', 'application.application'])
    .where('application.ended_at', 'is', null)
    .where('tenant.ended_at', 'is', null)
    .orderBy('tenant.tenant')
    .orderBy('application.application')
    .limit(100)
    .execute()
  const live = new Set(
    (await listKeys(tx, undefined))
      .filter((key) => key.revokedAt === undefined && key.expiresAt > now + 86_400_000)
      .map((key) => key.keyId),
  )
  const keys: Record<string, string> = {}
  for (const { tenant, application } of applications) {
    const name = `${tenant}/${application}`
    const kept = known[name]
    const keptId = kept === undefined ? undefined : parseApiKey(kept)?.keyId
    if (kept !== undefined && keptId !== undefined && live.has(keptId)) {
      keys[name] = kept
      continue
    }
    const created = await createKey(tx, making, {
      tenant,
      application,
      scopes: undefined,
      days: keyDaysMax,
      actor,
      now,
    })
    if (created.ok) keys[name] = created.value.key.text.reveal()
  }
  return keys
}
