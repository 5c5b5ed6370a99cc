import { Hono, type Context } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { Failure } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction, type Tx } from '../db/index.ts'
import type { Actor, ShownSession } from '../identity/index.ts'
import { loadInvoices, monthBefore, monthOf, parseMonth, writeInvoice, type KeptInvoice } from '../billing/index.ts'
import { brokenPage } from './broken-page.ts'
import { financeOf } from './finance.ts'
import { financePage } from './finance-page.ts'
import { loadFinance } from './load-finance.ts'
import { loadOrganization } from './load-organization.ts'
import { loadOverview } from './load-overview.ts'
import { missingPage } from './missing-page.ts'
import { mayReadBills } from './navigation.ts'
import { organizationPage } from './organization-page.ts'
import { overviewOf, readCursor } from './overview.ts'
import { overviewPage } from './overview-page.ts'
import type { Html } from './page.ts'
import { sessionOf } from './session-cookie.ts'
import type { SignInNeeds } from './sign-in-needs.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { standings } from './standing.ts'
import { style } from './style.ts'
import { waysIn } from './ways-in.ts'

export interface ConsoleNeeds extends SignInNeeds {
  /** Where calls go, for the example on an empty page. */
  readonly gatewayUrl: string
}

/** The console: server-rendered pages without script. */
export function consoleRoutes(needs: ConsoleNeeds): Hono {
  const app = new Hono()

  /** A page for whoever is signed in, and the ways in for whoever is not. Undefined: it is not there for them. */
  const show = async (
    c: Context,
    make: (who: { actor: Actor }, session: ShownSession) => Promise<Html | undefined>,
  ): Promise<Response> => {
    c.header('cache-control', 'no-store')
    try {
      const session = await sessionOf(c, needs)
      if (session === undefined) return c.html(await waysIn(needs, { to: c.req.path }))
      const made = await make(session, session)
      return made === undefined ? c.html(missingPage(session), 404) : c.html(made)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      needs.log.warn('console.failed', { dependency: error.dependency, why: error.message })
      return c.html(brokenPage(), 503, { 'retry-after': '5' })
    }
  }

  // Before the headers of the other pages: an invoice is a document whole in itself, with a style and headers of its own.
  app.get('/invoices/:number', async (c) => {
    const session = await sessionOf(c, needs)
    const invoice = session === undefined ? undefined : await findInvoice(needs, session.actor, c.req.param('number'))
    if (invoice === undefined) return c.redirect('/', 303)
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
      strictTransportSecurity: needs.isSecure ? 'max-age=31536000' : false,
    }),
  )

  app.get('/console.css', (c) =>
    c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'no-cache' }),
  )

  app.get('/', (c) =>
    show(c, async ({ actor }, session) => {
      const asked = {
        find: (c.req.query('find') ?? '').trim().slice(0, 100),
        standing: standings.find((one) => one === c.req.query('state')),
        after: readCursor(c.req.query('after')),
      }
      const facts = await loadOverview(needs.database, actor.tenantId, needs.now(), asked)
      return overviewPage(overviewOf(facts), { gatewayUrl: needs.gatewayUrl, session })
    }),
  )
  app.get('/finance', (c) =>
    show(c, async ({ actor }, session) => {
      if (!mayReadBills(actor)) return undefined
      const now = needs.now()
      // Whoever names no month wants the one that is to be closed.
      const period = parseMonth(c.req.query('month') ?? '') ?? monthBefore(monthOf(now))
      const after = (c.req.query('after') ?? '').slice(0, 200)
      return financePage(financeOf(await loadFinance(needs.database, { now, period, after })), session)
    }),
  )
  const showOrganization = async (session: ShownSession, of: Parameters<typeof loadOrganization>[1]['of']) => {
    const facts = await loadOrganization(needs.database, { of, now: needs.now() })
    return facts === undefined ? undefined : organizationPage(facts, session)
  }
  app.get('/organizations/:tenant', (c) =>
    show(c, async ({ actor }, session) =>
      mayReadBills(actor) ? showOrganization(session, { tenant: c.req.param('tenant') }) : undefined,
    ),
  )
  app.get('/organization', (c) =>
    show(c, async ({ actor }, session) =>
      actor.tenantId === undefined ? undefined : showOrganization(session, { tenantId: actor.tenantId }),
    ),
  )

  app.route('/', signInRoutes(needs))
  return app
}

/** Of a tenant's own people in a transaction of the tenant: whatever is another's is not there. */
async function findInvoice(needs: ConsoleNeeds, actor: Actor, number: string): Promise<KeptInvoice | undefined> {
  if (actor.tenantId === undefined && !mayReadBills(actor)) return undefined
  const load = (tx: Tx) => loadInvoices(tx, { number })
  const [invoice] =
    actor.tenantId === undefined
      ? await systemTransaction(needs.database, 'bill', load)
      : await tenantTransaction(needs.database, actor.tenantId, load)
  return invoice
}
