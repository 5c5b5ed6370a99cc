import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { assertNever, isoOf, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { createKey, keyDaysDefault, listKeys, revokeKey, rotateKey, type KeyRefusal } from '../../identity/index.ts'
import { ConfigError, readPeppers } from '../../platform/node/config.ts'
import { nodeHmac } from '../../platform/node/ports.ts'

export interface KeyIo {
  out(line: string): void
  err(line: string): void
  readonly json: boolean
  readonly now: Instant
  readonly database: Database
  readonly keyPepper: string | undefined
}

/** `formulary key create|rotate|revoke|list`. */
export async function runKey(args: readonly string[], io: KeyIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      days: { type: 'string', default: String(keyDaysDefault) },
      scope: { type: 'string', multiple: true },
      reason: { type: 'string', default: 'no reason given' },
      'overlap-hours': { type: 'string', default: '24' },
    },
  })
  const [verb, target] = positionals
  const { now } = io
  const administer = <T>(work: Parameters<typeof systemTransaction<T>>[2]) =>
    systemTransaction(io.database, 'administer', work)
  switch (verb) {
    case 'create': {
      const [tenant = '', application = ''] = (target ?? '').split('/')
      if (tenant === '' || application === '') return misused(io, 'formulary key create <tenant>/<application>')
      const wish = { tenant, application, scopes: values.scope, days: Number(values.days), now }
      const created = await administer((tx) => createKey(tx, making(io), wish))
      if (!created.ok) return refused(io, created.error)
      return shown(io, {
        key: created.value.key.text.reveal(),
        keyId: created.value.key.keyId,
        expiresAt: isoOf(created.value.expiresAt),
      })
    }
    case 'rotate': {
      if (target === undefined) return misused(io, 'formulary key rotate <key id>')
      const overlapHours = Number(values['overlap-hours'])
      if (!(overlapHours >= 0 && overlapHours <= 24 * 30))
        return misused(io, 'formulary key rotate <key id> --overlap-hours 0 to 720')
      const wish = { keyId: target, overlapHours, days: Number(values.days), now }
      const rotated = await administer((tx) => rotateKey(tx, making(io), wish))
      if (!rotated.ok) return refused(io, rotated.error)
      return shown(io, {
        key: rotated.value.key.text.reveal(),
        keyId: rotated.value.key.keyId,
        expiresAt: isoOf(rotated.value.expiresAt),
        oldKeyEndsAt: isoOf(rotated.value.oldEndsAt),
      })
    }
    case 'revoke': {
      if (target === undefined) return misused(io, 'formulary key revoke <key id>')
      const revoked = await administer((tx) => revokeKey(tx, { keyId: target, reason: values.reason, now }))
      return revoked.ok ? shown(io, { keyId: target, revokedAt: isoOf(revoked.value.revokedAt) }) : refused(io, revoked.error)
    }
    case 'list': {
      const keys = await administer((tx) => listKeys(tx, target))
      if (io.json) io.out(JSON.stringify(keys.map((key) => ({ ...key, ...timesOf(key) }))))
      else if (keys.length === 0) io.out('There are no keys.')
      else for (const key of keys) io.out(lineOf(key, now))
      return 0
    }
    default:
      return misused(io, 'formulary key create|rotate|revoke|list')
  }
}

function making(io: KeyIo) {
  if (io.keyPepper === undefined) throw new ConfigError('KEY_PEPPER is not set: a key cannot be made without it')
  return {
    hmac: nodeHmac,
    pepper: readPeppers(io.keyPepper).current,
    randomBytes: (length: number) => new Uint8Array(randomBytes(length)),
  }
}

type Listed = Awaited<ReturnType<typeof listKeys>>[number]

const timesOf = (key: Listed) => ({
  createdAt: isoOf(key.createdAt),
  expiresAt: isoOf(key.expiresAt),
  revokedAt: key.revokedAt === undefined ? null : isoOf(key.revokedAt),
})

function lineOf(key: Listed, now: Instant): string {
  const state =
    key.revokedAt !== undefined
      ? `${key.revokedAt <= now ? 'revoked' : 'ends'} ${isoOf(key.revokedAt)}`
      : `${key.expiresAt <= now ? 'expired' : 'expires'} ${isoOf(key.expiresAt)}`
  return `${key.keyId}  ${key.tenant}/${key.application}  ${key.scopes.join(',')}  ${state}`
}

function shown(io: KeyIo, facts: Readonly<Record<string, string>>): 0 {
  if (io.json) io.out(JSON.stringify(facts))
  else for (const [name, value] of Object.entries(facts)) io.out(`${name.padEnd(14)}${value}`)
  return 0
}

function refused(io: KeyIo, refusal: KeyRefusal): 1 {
  io.err(`formulary: ${wordsFor(refusal)}`)
  return 1
}

function wordsFor(refusal: KeyRefusal): string {
  switch (refusal.reason) {
    case 'tenant_not_found':
      return `there is no tenant ${refusal.tenant}`
    case 'application_not_found':
      return `${refusal.tenant} has no application ${refusal.application}`
    case 'scope_not_granted':
      return `the application does not have the scope ${refusal.scope}; it has ${refusal.granted.join(', ')}`
    case 'key_not_found':
      return `there is no live key ${refusal.keyId}; formulary key list shows them`
    case 'expiry_out_of_range':
      return `--days must be a whole number from 1 to ${refusal.daysMax}`
    default:
      return assertNever(refusal, 'a key refusal')
  }
}

function misused(io: KeyIo, usage: string): 2 {
  io.err(`usage: ${usage}`)
  return 2
}
