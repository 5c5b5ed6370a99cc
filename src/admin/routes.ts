import { Hono, type Context } from 'hono'
import type { Log } from '../kernel/index.ts'
import { controlPlane } from './control-plane.ts'
import type { ControlNeeds } from './operation.ts'

export interface AdminNeeds {
  readonly log: Log
  /** The figures of all processes, in Prometheus' text format; undefined when a process did not give its own in time. */
  metrics(): Promise<{ text: string; contentType: string } | undefined>
  /** Whether the gateway processes are up. */
  isReady(): boolean
  readonly control: ControlNeeds
}

/** The control plane's listener: health and figures for operators, and the API of the licensing office. */
export function adminRoutes(needs: AdminNeeds): Hono {
  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', (c) => (needs.isReady() ? c.json({ status: 'ready' }) : c.json({ status: 'starting' }, 503)))
  app.get('/metrics', async (c) => {
    const figures = await needs.metrics()
    if (figures === undefined)
      return problem(c, 503, 'A gateway process did not answer in time.', { 'retry-after': '5' })
    return c.body(figures.text, 200, { 'content-type': figures.contentType, 'cache-control': 'no-store' })
  })
  app.route('/', controlPlane(needs.control))
  app.notFound((c) => problem(c, 404, 'There is nothing here.'))
  app.onError((error, c) => {
    needs.log.error('admin.bug', { path: c.req.routePath }, error)
    return problem(c, 500, 'This is a fault of ours; the log has it.')
  })
  return app
}

/** RFC 9457. */
const problem = (c: Context, status: 404 | 500 | 503, title: string, headers: Record<string, string> = {}) =>
  c.body(JSON.stringify({ type: 'about:blank', title, status }), status, {
    ...headers,
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  })
