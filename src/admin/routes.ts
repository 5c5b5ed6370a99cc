import { Hono } from 'hono'

export interface AdminNeeds {
  /** The figures of all processes, in Prometheus' text format; undefined when a process did not give its own in time. */
  metrics(): Promise<{ text: string; contentType: string } | undefined>
  /** Whether the gateway processes are up. */
  isReady(): boolean
}

/** The control plane's listener: health and figures for operators. The API of the licensing office comes here. */
export function adminRoutes(needs: AdminNeeds): Hono {
  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', (c) => (needs.isReady() ? c.json({ status: 'ready' }) : c.json({ status: 'starting' }, 503)))
  app.get('/metrics', async (c) => {
    const figures = await needs.metrics()
    if (figures === undefined) return c.text('a gateway process did not answer\n', 503, { 'retry-after': '5' })
    return c.body(figures.text, 200, { 'content-type': figures.contentType, 'cache-control': 'no-store' })
  })
  return app
}
