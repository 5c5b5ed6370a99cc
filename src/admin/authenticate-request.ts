import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { err, ok, type Result } from '../kernel/index.ts'
import { systemTransaction } from '../db/index.ts'
import {
  authenticateAdmin,
  authenticateSession,
  decideBootstrap,
  isCrossSite,
  isSameCsrfToken,
  loadInstallation,
  type Actor,
  type BootstrapRefusal,
  type ShownSession,
} from '../identity/index.ts'
import type { AnyOperation, ControlNeeds } from './operation.ts'
import type { AdminRefusal } from './refusal.ts'

/** Who asks, and by which session; undefined: by a token that every request shows. */
export interface Authenticated {
  readonly actor: Actor
  readonly session: ShownSession | undefined
}

/**
 * Who asks: a bearer token, or the cookie of a session. A token that is shown decides alone, because no browser sends one by
 * itself. `stranger` is one answer for whatever is no good.
 */
export async function authenticateRequest(
  c: Context,
  operation: AnyOperation,
  needs: ControlNeeds,
): Promise<Result<Authenticated, AdminRefusal | 'stranger'>> {
  const authorization = c.req.header('authorization')
  if (authorization !== undefined) {
    const shown = /^bearer +(\S{1,200})$/i.exec(authorization)?.[1]
    if (shown === undefined) return err('stranger')
    if (isBootstrapToken(needs, shown)) return bootstrap(operation, needs)
    const found = await systemTransaction(needs.database, 'administer', (tx) =>
      authenticateAdmin(tx, needs, shown, needs.now()),
    )
    return found === undefined ? err('stranger') : ok({ actor: found.actor, session: undefined })
  }
  const cookie = getCookie(c, needs.sessionCookie)
  if (cookie === undefined) return err('stranger')
  const session = await systemTransaction(needs.database, 'administer', (tx) =>
    authenticateSession(tx, needs, cookie, needs.now()),
  )
  if (session === undefined) return err('stranger')
  const forged = operation.method === 'get' ? undefined : crossSiteRefusal(c, needs, session)
  return forged === undefined ? ok({ actor: session.actor, session }) : err(forged)
}

/**
 * A browser sends the cookie with whatever page makes it ask. What changes something has to come from a page of ours: by
 * what the browser says of its origin, and by a token of the session that only such a page could read.
 */
function crossSiteRefusal(c: Context, needs: ControlNeeds, session: ShownSession): AdminRefusal | undefined {
  const isForeign = isCrossSite({
    origin: c.req.header('origin'),
    site: c.req.header('sec-fetch-site'),
    host: c.req.header('host'),
    publicUrl: needs.adminUrl(),
  })
  if (!isForeign && isSameCsrfToken(needs.hmac, c.req.header('x-csrf-token'), session.csrfToken)) return undefined
  return {
    status: 403,
    reason: 'cross_site_request',
    message: isForeign
      ? 'This was sent from a page of another site.'
      : 'The token of this session is missing or wrong.',
    advice: 'Send x-csrf-token with the csrf_token of GET /admin/v1/session, or a bearer token instead of the session.',
  }
}

const isBootstrapToken = ({ hmac, ownerToken }: ControlNeeds, shown: string): boolean => {
  const key = new TextEncoder().encode(ownerToken)
  return hmac.equal(hmac.sha256(key, shown), hmac.sha256(key, ownerToken))
}

async function bootstrap(operation: AnyOperation, needs: ControlNeeds): Promise<Result<Authenticated, AdminRefusal>> {
  if (operation.id !== 'createAdminToken')
    return err({
      status: 403,
      reason: 'bootstrap_only_makes_tokens',
      message: 'The bootstrap token makes admin tokens and does nothing else.',
      advice: 'Make an owner-admin token with it, POST /admin/v1/admin-tokens, and use that one.',
    })
  const facts = await systemTransaction(needs.database, 'administer', loadInstallation)
  const decided = decideBootstrap(facts, needs.now())
  if (!decided.ok)
    return err({
      status: 403,
      reason: 'bootstrap_over',
      message: bootstrapWords[decided.error.reason],
      advice: 'An owner-admin makes tokens from now on, or whoever runs the machine: formulary admin-token create.',
    })
  return ok({
    actor: { kind: 'bootstrap', name: 'owner-token', roles: ['owner-admin'], tenantId: undefined },
    session: undefined,
  })
}

const bootstrapWords: Readonly<Record<BootstrapRefusal['reason'], string>> = {
  minute_over: 'The bootstrap token worked for the first minute of this installation, and that is over.',
  owner_admin_exists: 'The bootstrap token is for as long as there is no token of an owner-admin, and there is one.',
  owners_provider_exists: 'The bootstrap token is for as long as nobody can sign in, and the owner’s people can.',
}
