import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { secureHeaders } from 'hono/secure-headers'
import { Failure, type Hmac, type Instant, type Log } from '../kernel/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import { loadInvoices, monthBefore, monthOf, parseMonth, writeInvoice, type ClosingNeeds } from '../billing/index.ts'
import { Attempts } from './attempts.ts'
import { financeOf } from './finance.ts'
import { financePage } from './finance-page.ts'
import { loadFinance } from './load-finance.ts'
import { loadOrganization } from './load-organization.ts'
import { loadOverview } from './load-overview.ts'
import { missingPage } from './missing-page.ts'
import { organizationPage } from './organization-page.ts'
import { overviewOf, readCursor } from './overview.ts'
import { overviewPage } from './overview-page.ts'
import { brokenPage } from './broken-page.ts'
import type { Html } from './page.ts'
import { isOwnerToken, isSession, sessionKey, sessionSeconds, signSession } from './session.ts'
import { signInPage } from './sign-in-page.ts'
import { standings } from './standing.ts'
import { style } from './style.ts'

export interface ConsoleNeeds {
  readonly ownerToken: string
  readonly hmac: Hmac
  /** A small one of its own, with a statement timeout: whoever looks must not hold up calls. */
  readonly database: Database
  /** What the comparison with the host's and Stripe's figures says of a month; absent where none is set up. */
  readonly reconciled?: ClosingNeeds['reconciled']
  readonly log: Log
  /** Where calls go, for the example on an empty page. */
  readonly gatewayUrl: string
  /** Whether the cookie is sent over TLS only. */
  readonly secureCookie: boolean
  now(): Instant
  /** Who is at the other end of the connection, to bound guessing. */
  addressOf(c: Context): string
}

const cookieName = 'formulary-session'
const formLimit = bodyLimit({
  maxSize: 4096,
  onError: (c) => c.html(signInPage('That is too long for an owner token.'), 413),
})

/** The console: server-rendered pages without script. One sign-in by the owner token, three pages, and invoices. */
export function consoleRoutes(needs: ConsoleNeeds): Hono {
  const key = sessionKey(needs.hmac, needs.ownerToken)
  const attempts = new Attempts()
  const app = new Hono()
  const isSignedIn = (c: Context) => isSession(needs.hmac, key, getCookie(c, cookieName), needs.now())

  /** A page for whoever is signed in; the way in for whoever is not. */
  const show = async (c: Context, make: (now: Instant) => Promise<Html | undefined>): Promise<Response> => {
    c.header('cache-control', 'no-store')
    if (!isSignedIn(c)) return c.html(signInPage(undefined))
    try {
      const made = await make(needs.now())
      return made === undefined ? c.html(missingPage(), 404) : c.html(made)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      needs.log.warn('console.failed', { dependency: error.dependency, why: error.message })
      return c.html(brokenPage(), 503, { 'retry-after': '5' })
    }
  }

  // Before the headers of the other pages: an invoice is a document whole in itself, with a style and headers of its own.
  app.get('/invoices/:number', async (c) => {
    if (!isSignedIn(c)) return c.redirect('/', 303)
    const [invoice] = await systemTransaction(needs.database, 'bill', (tx) =>
      loadInvoices(tx, { number: c.req.param('number') }),
    )
    if (invoice === undefined) return c.redirect('/finance', 303)
    const { headers, text } = await writeInvoice(invoice.document, 'html')
    return c.body(text, 200, { ...headers, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  })

  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        imgSrc: ['data:'],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
      xFrameOptions: 'DENY',
      // With no referrer at all a browser would not say where a form comes from either.
      referrerPolicy: 'same-origin',
      strictTransportSecurity: needs.secureCookie ? 'max-age=31536000' : false,
    }),
  )

  app.get('/console.css', (c) =>
    c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'no-cache' }),
  )

  app.get('/', (c) =>
    show(c, async (now) => {
      const asked = {
        find: (c.req.query('find') ?? '').trim().slice(0, 100),
        standing: standings.find((one) => one === c.req.query('state')),
        after: readCursor(c.req.query('after')),
      }
      return overviewPage(overviewOf(await loadOverview(needs.database, now, asked)), needs.gatewayUrl)
    }),
  )
  app.get('/finance', (c) =>
    show(c, async (now) => {
      // Whoever names no month wants the one that is to be closed.
      const period = parseMonth(c.req.query('month') ?? '') ?? monthBefore(monthOf(now))
      const after = (c.req.query('after') ?? '').slice(0, 200)
      return financePage(financeOf(await loadFinance(needs, { now, period, after })))
    }),
  )
  app.get('/organizations/:tenant', (c) =>
    show(c, async (now) => {
      const facts = await loadOrganization(needs.database, { tenant: c.req.param('tenant'), now })
      return facts === undefined ? undefined : organizationPage(facts)
    }),
  )

  app.post('/sign-in', formLimit, async (c) => {
    c.header('cache-control', 'no-store')
    if (!isFromHere(c)) return c.html(signInPage('This form was sent from another site. Sign in here.'), 403)
    const now = needs.now()
    const address = needs.addressOf(c)
    const wait = attempts.waitSeconds(address, now)
    if (wait !== undefined)
      return c.html(signInPage(`Too many wrong tokens. Try again in ${wait} seconds.`), 429, {
        'retry-after': String(wait),
      })
    const { token } = await c.req.parseBody()
    if (typeof token !== 'string' || !isOwnerToken(needs.hmac, key, token.trim(), needs.ownerToken)) {
      attempts.noteWrong(address, now)
      needs.log.warn('console.sign_in_refused')
      return c.html(signInPage('That is not the owner token. Check that it was copied whole.'), 403)
    }
    needs.log.info('console.signed_in')
    setCookie(c, cookieName, signSession(needs.hmac, key, now), {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: sessionSeconds,
      secure: needs.secureCookie,
    })
    return c.redirect('/', 303)
  })

  app.post('/sign-out', (c) => {
    if (!isFromHere(c)) return c.html(signInPage(undefined), 403)
    deleteCookie(c, cookieName, { path: '/', secure: needs.secureCookie })
    return c.redirect('/', 303)
  })
  return app
}

/** A form of another site is refused; a browser says where a form comes from (Fetch, section 3.2). */
function isFromHere(c: Context): boolean {
  const origin = c.req.header('origin')
  if (origin === undefined) return true
  try {
    return new URL(origin).host === c.req.header('host')
  } catch {
    return false
  }
}
