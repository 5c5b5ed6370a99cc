import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { Failure } from '../kernel/index.ts'
import { systemTransaction } from '../db/index.ts'
import {
  authenticateAdmin,
  beginAttempt,
  beginTokensSession,
  endSessions,
  findProvider,
  isSameCsrfToken,
  localPath,
  sealAttempt,
  secretsOf,
  type ProviderFacts,
} from '../identity/index.ts'
import { Attempts } from './attempts.ts'
import { brokenPage } from './broken-page.ts'
import { finishSignIn, redirectUriFor } from './finish-sign-in.ts'
import {
  clearSessionCookie,
  isFromHere,
  newSecret,
  sessionOf,
  setAttemptCookie,
  setSessionCookie,
} from './session-cookie.ts'
import type { SignInNeeds } from './sign-in-needs.ts'
import { providerPage, signedOutPage, signInPage } from './sign-in-page.ts'
import { hrefFor, waysIn } from './ways-in.ts'

const wrongTokensMax = 10
/** A whole hospital may come from one address; what is wrong here may have cost its provider a question. */
const wrongAnswersMax = 60
const formLimit = bodyLimit({
  maxSize: 4096,
  onError: (c) => c.html(signInPage({ refused: 'That is too long for a token.', hasProviders: false, to: '/' }), 413),
})

/**
 * The ways in and the way out: at the owner's provider, at that of a person's own organization, or with an admin token. Each
 * sign-in is a new session, and what the browser showed before is ended.
 */
export function signInRoutes(needs: SignInNeeds): Hono {
  const tokens = new Attempts(wrongTokensMax)
  const answers = new Attempts(wrongAnswersMax)
  const app = new Hono()
  app.use(async (c, next) => {
    c.header('cache-control', 'no-store')
    await next()
  })

  app.get('/sign-in', (c) =>
    guarded(c, needs, async () => {
      const to = localPath(c.req.query('to'))
      const organization = c.req.query('organization')?.trim()
      if (organization === undefined) return c.html(await waysIn(needs, { to }))
      const facts = await providerOf(needs, organization)
      if (facts === undefined)
        return c.html(
          await waysIn(needs, { to, refused: `Nobody can sign in as one of ${shortened(organization)}.` }),
          404,
        )
      return c.html(providerPage({ name: facts.name, host: new URL(facts.issuer).host, href: hrefFor(facts, to) }))
    }),
  )

  app.get('/sign-in/start', (c) =>
    guarded(c, needs, async () => {
      const to = localPath(c.req.query('to'))
      const tenant = c.req.query('tenant') ?? ''
      const facts = await providerOf(needs, tenant)
      const redirectUri = redirectUriFor(needs, tenant)
      if (facts === undefined || redirectUri === undefined)
        return c.html(await waysIn(needs, { to, refused: `Nobody can sign in as one of ${shortened(tenant)}.` }), 404)
      const attempt = beginAttempt({ tenant, to, random: needs.randomBytes(32), now: needs.now() })
      const begun = await needs.providers.begin(facts, secretsOf(needs.hmac, needs.cookieKey, attempt), redirectUri)
      if (!begun.ok) {
        needs.log.warn('sign_in.not_begun', { tenant: facts.tenant, reason: begun.error.reason })
        const refused = `The sign-in of ${facts.name} cannot be reached now. Try again in a minute.`
        return c.html(await waysIn(needs, { to, refused }), 503, { 'retry-after': '60' })
      }
      setAttemptCookie(c, needs, sealAttempt(needs.hmac, needs.cookieKey, attempt))
      return c.redirect(begun.value.href, 303)
    }),
  )

  app.get('/sign-in/callback/:tenant', (c) =>
    guarded(c, needs, async () => {
      const waiting = await tooManyWrong(c, answers)
      return waiting ?? finishSignIn(c, needs, () => answers.noteWrong(needs.addressOf(c), needs.now()))
    }),
  )

  app.post('/sign-in', formLimit, (c) =>
    guarded(c, needs, async () => {
      const form = await c.req.parseBody()
      const to = localPath(typeof form['to'] === 'string' ? form['to'] : undefined)
      if (!isFromHere(c, needs))
        return c.html(await waysIn(needs, { to, refused: 'This form was sent from another site. Sign in here.' }), 403)
      const waiting = await tooManyWrong(c, tokens)
      if (waiting !== undefined) return waiting
      const shown = typeof form['token'] === 'string' ? form['token'].trim() : ''
      const secret = newSecret(needs)
      const now = needs.now()
      const before = await sessionOf(c, needs)
      const actor = await systemTransaction(needs.database, 'administer', async (tx) => {
        const token = await authenticateAdmin(tx, needs, shown, now)
        if (token === undefined) return undefined
        if (before !== undefined)
          await endSessions(tx, { sessionId: before.sessionId }, { actor: before.actor, reason: 'signed in anew', now })
        await beginTokensSession(tx, { secretSha256: secret.sha256, now }, token)
        return token.actor
      })
      if (actor === undefined) {
        tokens.noteWrong(needs.addressOf(c), now)
        needs.log.warn('console.sign_in_refused')
        const refused = 'That is no admin token that works. Check that it was copied whole.'
        return c.html(await waysIn(needs, { to, refused }), 403)
      }
      needs.log.info('console.signed_in')
      setSessionCookie(c, needs, secret.cookie)
      return c.redirect(to, 303)
    }),
  )

  app.post('/sign-out', formLimit, (c) =>
    guarded(c, needs, async () => {
      if (!isFromHere(c, needs)) return c.html(await waysIn(needs, { to: '/' }), 403)
      const session = await sessionOf(c, needs)
      if (session === undefined) {
        clearSessionCookie(c, needs)
        return c.redirect('/', 303)
      }
      const { csrf_token: shown } = await c.req.parseBody()
      if (!isSameCsrfToken(needs.hmac, typeof shown === 'string' ? shown : undefined, session.csrfToken))
        return c.html(await waysIn(needs, { to: '/' }), 403)
      const { sessionId, actor } = session
      const facts = await systemTransaction(needs.database, 'administer', async (tx) => {
        await endSessions(tx, { sessionId }, { actor, reason: 'signed out', now: needs.now() })
        return session.providerOf === undefined ? undefined : findProvider(tx, { tenantId: session.providerOf })
      })
      clearSessionCookie(c, needs)
      const url =
        facts === undefined ? undefined : await needs.providers.endSessionUrl(facts, `${needs.adminUrl() ?? ''}/`)
      return url === undefined ? c.redirect('/', 303) : c.html(signedOutPage({ host: url.host, href: url.href }))
    }),
  )
  return app

  async function tooManyWrong(c: Context, attempts: Attempts): Promise<Response | undefined> {
    const wait = attempts.waitSeconds(needs.addressOf(c), needs.now())
    if (wait === undefined) return undefined
    const refused = `Too many sign-ins that did not work. Try again in ${wait} seconds.`
    return c.html(await waysIn(needs, { to: '/', refused }), 429, { 'retry-after': String(wait) })
  }
}

const providerOf = (needs: SignInNeeds, tenant: string): Promise<ProviderFacts | undefined> =>
  /^[a-z0-9-]{1,64}$/.test(tenant) && needs.adminUrl() !== undefined
    ? systemTransaction(needs.database, 'administer', (tx) => findProvider(tx, { tenant }))
    : Promise.resolve(undefined)

const shortened = (name: string): string => (name.length <= 64 ? name : `${name.slice(0, 63)}…`)

async function guarded(c: Context, needs: SignInNeeds, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    needs.log.warn('console.failed', { dependency: error.dependency, why: error.message })
    return c.html(brokenPage(), 503, { 'retry-after': '5' })
  }
}
