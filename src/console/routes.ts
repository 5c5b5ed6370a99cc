import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { Failure } from '../kernel/index.ts'
import { brokenPage } from './broken-page.ts'
import { loadOverview } from './load-overview.ts'
import { overviewOf } from './overview.ts'
import { overviewPage } from './overview-page.ts'
import { sessionOf } from './session-cookie.ts'
import type { SignInNeeds } from './sign-in-needs.ts'
import { signInRoutes } from './sign-in-routes.ts'
import { style } from './style.ts'
import { waysIn } from './ways-in.ts'

export interface ConsoleNeeds extends SignInNeeds {
  /** Where calls go, for the example on an empty page. */
  readonly gatewayUrl: string
}

/** The console: server-rendered pages without script. */
export function consoleRoutes(needs: ConsoleNeeds): Hono {
  const app = new Hono()

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

  app.get('/', async (c) => {
    c.header('cache-control', 'no-store')
    try {
      const session = await sessionOf(c, needs)
      if (session === undefined) return c.html(await waysIn(needs, { to: '/' }))
      const facts = await loadOverview(needs.database, session.actor.tenantId, needs.now())
      return c.html(overviewPage(overviewOf(facts), { gatewayUrl: needs.gatewayUrl, session }))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      needs.log.warn('console.failed', { dependency: error.dependency, why: error.message })
      return c.html(brokenPage(), 503, { 'retry-after': '5' })
    }
  })

  app.route('/', signInRoutes(needs))
  return app
}
