import { parseArgs } from 'node:util'
import { z } from 'zod'
import { assertNever, isoOf, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  createAdminToken,
  keyDaysDefault,
  listAdminTokens,
  revokeAdminToken,
  Role,
  roles,
  type AdminTokenRefusal,
} from '../../identity/index.ts'
import { keyMakingFrom } from '../key-making.ts'
import { operator } from '../operator.ts'
import { readNumber } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface AdminTokenIo extends Io {
  readonly now: Instant
  readonly database: Database
  readonly keyPepper: string | undefined
}

/** `formulary admin-token create <name> --role licensing | list | revoke <token id> --reason "…"`. */
export async function runAdminToken(args: readonly string[], io: AdminTokenIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      role: { type: 'string', multiple: true },
      tenant: { type: 'string' },
      scope: { type: 'string', multiple: true },
      days: { type: 'string', default: String(keyDaysDefault) },
      reason: { type: 'string' },
    },
  })
  const [verb, target, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`admin-token ${verb}\` does not take \`${more[0]}\``)
  switch (verb) {
    case 'create':
      return create(io, target, values)
    case 'list':
      return list(io)
    case 'revoke': {
      if (target === undefined || values.reason === undefined)
        return reportMisuse(io, 'which, and why? formulary admin-token revoke <token id> --reason "…"')
      const wish = { tokenId: target, reason: values.reason, actor: operator(), now: io.now }
      const revoked = await systemTransaction(io.database, 'administer', (tx) => revokeAdminToken(tx, wish))
      if (!revoked.ok) return reportRefusal(io, revoked.error.reason, wordsFor(revoked.error))
      return show(io, { tokenId: target, revokedAt: isoOf(revoked.value.revokedAt) })
    }
    default:
      return reportMisuse(io, 'what about admin tokens? formulary admin-token create|list|revoke')
  }
}

const Scopes = z
  .array(z.string().regex(/^[a-z][A-Za-z]{0,99}$/))
  .max(100)
  .optional()

async function create(
  io: AdminTokenIo,
  name: string | undefined,
  values: { role?: string[]; tenant?: string; scope?: string[]; days: string },
): Promise<0 | 1 | 2> {
  const asked = Role.array().min(1).safeParse(values.role)
  if (name === undefined || name.length > 100 || !asked.success)
    return reportMisuse(
      io,
      `whose, and for what? formulary admin-token create "Ada Moreno" --role ${roles.join('|')} [--tenant name] [--scope read] [--days 90]`,
    )
  const scopes = Scopes.safeParse(values.scope)
  if (!scopes.success)
    return reportMisuse(
      io,
      '--scope is read, or the operationId of one thing that the token may do (/admin/openapi.json)',
    )
  const wish = {
    name,
    roles: asked.data,
    tenant: values.tenant,
    scopes: scopes.data,
    days: readNumber(values.days) ?? Number.NaN,
  }
  const made = await systemTransaction(io.database, 'administer', (tx) =>
    createAdminToken(tx, keyMakingFrom(io.keyPepper), { ...wish, actor: operator(), now: io.now }),
  )
  if (!made.ok) return reportRefusal(io, made.error.reason, wordsFor(made.error))
  const { tokenId, text, expiresAt } = made.value
  return show(io, { token: text.reveal(), tokenId, expiresAt: isoOf(expiresAt) })
}

async function list(io: AdminTokenIo): Promise<0> {
  const tokens = await systemTransaction(io.database, 'administer', (tx) => listAdminTokens(tx))
  if (io.json) {
    const shown = tokens.map((token) => ({
      ...token,
      createdAt: isoOf(token.createdAt),
      expiresAt: isoOf(token.expiresAt),
      revokedAt: token.revokedAt === undefined ? null : isoOf(token.revokedAt),
      usedAt: token.usedAt === undefined ? null : isoOf(token.usedAt),
    }))
    io.out(JSON.stringify(shown))
  } else if (tokens.length === 0) io.out('There are no admin tokens.')
  else
    for (const { tokenId, name, roles: held, tenant, scopes, expiresAt, revokedAt, usedAt } of tokens) {
      const end = revokedAt === undefined ? `expires ${isoOf(expiresAt)}` : `revoked ${isoOf(revokedAt)}`
      const may = `${held.join(',')}${tenant === undefined ? '' : ` of ${tenant}`}`
      const only = scopes === undefined ? '' : `  only ${scopes.join(',')}`
      io.out(
        `${tokenId}  ${name}  ${may}${only}  ${end}  ${usedAt === undefined ? 'never used' : `used ${isoOf(usedAt)}`}`,
      )
    }
  return 0
}

function show(io: Io, facts: Readonly<Record<string, string>>): 0 {
  if (io.json) io.out(JSON.stringify(facts))
  else for (const [name, value] of Object.entries(facts)) io.out(`${name.padEnd(14)}${value}`)
  return 0
}

function wordsFor(refusal: AdminTokenRefusal): string {
  switch (refusal.reason) {
    case 'tenant_not_found':
      return `there is no tenant ${refusal.tenant}`
    case 'token_not_found':
      return `there is no admin token ${refusal.tokenId}; formulary admin-token list shows them`
    case 'roles_do_not_fit':
      return refusal.tenant === undefined
        ? 'tenant-admin and tenant-viewer are a tenant’s: name it with --tenant'
        : `an administrator of ${refusal.tenant} is tenant-admin or tenant-viewer`
    case 'expiry_out_of_range':
      return `--days must be a whole number from 1 to ${refusal.daysMax}`
    case 'too_many_tokens':
      return `there are ${refusal.tokensMax} live tokens: let some expire`
    case 'scopes_exceed_makers':
      return `a token cannot hand on ${refusal.scopes.join(', ')}, which it is not for`
    default:
      return assertNever(refusal, 'a token refusal')
  }
}
