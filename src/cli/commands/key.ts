import { parseArgs } from 'node:util'
import { assertNever, isoOf, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  createKey,
  isTenant,
  keyDaysDefault,
  listKeys,
  revokeKey,
  rotateKey,
  type CreatedKey,
  type KeyRefusal,
} from '../../identity/index.ts'
import { keyMakingFrom } from '../key-making.ts'
import { operator } from '../operator.ts'
import { readNumber } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface KeyIo extends Io {
  readonly now: Instant
  readonly database: Database
  readonly keyPepper: string | undefined
}

const overlapHoursMax = 24 * 30

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
  const [verb, target, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`key ${verb}\` does not take \`${more[0]}\``)
  const days = readNumber(values.days) ?? Number.NaN
  const { now } = io
  const actor = operator()
  const administer = <T>(work: Parameters<typeof systemTransaction<T>>[2]) =>
    systemTransaction(io.database, 'administer', work)
  switch (verb) {
    case 'create': {
      const [tenant = '', application = '', ...deeper] = (target ?? '').split('/')
      if (tenant === '' || application === '' || deeper.length > 0)
        return reportMisuse(io, 'whose key? formulary key create <tenant>/<application>')
      const wish = { tenant, application, scopes: values.scope, days, actor, now }
      const created = await administer((tx) => createKey(tx, keyMakingFrom(io.keyPepper), wish))
      return created.ok ? show(io, madeKey(created.value)) : refuse(io, created.error)
    }
    case 'rotate': {
      if (target === undefined) return reportMisuse(io, 'which key? formulary key rotate <key id>')
      const overlapHours = readNumber(values['overlap-hours'])
      if (overlapHours === undefined || overlapHours > overlapHoursMax)
        return reportMisuse(io, `--overlap-hours must be a number from 0 to ${overlapHoursMax}`)
      const wish = { keyId: target, overlapHours, days, actor, now }
      const rotated = await administer((tx) => rotateKey(tx, keyMakingFrom(io.keyPepper), wish))
      if (!rotated.ok) return refuse(io, rotated.error)
      return show(io, { ...madeKey(rotated.value), oldKeyEndsAt: isoOf(rotated.value.oldEndsAt) })
    }
    case 'revoke': {
      if (target === undefined) return reportMisuse(io, 'which key? formulary key revoke <key id>')
      const revoked = await administer((tx) => revokeKey(tx, { keyId: target, reason: values.reason, actor, now }))
      if (!revoked.ok) return refuse(io, revoked.error)
      return show(io, { keyId: target, revokedAt: isoOf(revoked.value.revokedAt) })
    }
    case 'list': {
      const keys = await administer(async (tx) =>
        target !== undefined && !(await isTenant(tx, target)) ? undefined : listKeys(tx, target),
      )
      if (keys === undefined) return refuse(io, { reason: 'tenant_not_found', tenant: target ?? '' })
      if (io.json) io.out(JSON.stringify(keys.map((key) => ({ ...key, ...timesOf(key) }))))
      else if (keys.length === 0) io.out(target === undefined ? 'There are no keys.' : `${target} has no keys.`)
      else for (const key of keys) io.out(lineOf(key, now))
      return 0
    }
    default:
      return reportMisuse(io, 'what about keys? formulary key create|rotate|revoke|list')
  }
}

const madeKey = ({ key, expiresAt }: CreatedKey) => ({
  key: key.text.reveal(),
  keyId: key.keyId,
  expiresAt: isoOf(expiresAt),
})

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

function show(io: KeyIo, facts: Readonly<Record<string, string>>): 0 {
  if (io.json) io.out(JSON.stringify(facts))
  else for (const [name, value] of Object.entries(facts)) io.out(`${name.padEnd(14)}${value}`)
  return 0
}

const refuse = (io: KeyIo, refusal: KeyRefusal): 1 | 2 =>
  refusal.reason === 'expiry_out_of_range'
    ? reportMisuse(io, wordsFor(refusal))
    : reportRefusal(io, refusal.reason, wordsFor(refusal))

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
