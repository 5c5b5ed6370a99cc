import { Hono } from 'hono'

export interface AdminNeeds {
  /** The figures of all processes, in Prometheus' text format. */
  metrics(): Promise<{ text: string; contentType: string }>
  /** Whether the gateway processes are up. */
  isReady(): boolean
}

/** The control plane's listener: health and figures for operators. The API of the licensing office comes here. */
export function adminRoutes(needs: AdminNeeds): Hono {
  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', (c) => (needs.isReady() ? c.json({ status: 'ready' }) : c.json({ status: 'starting' }, 503)))
  app.get('/metrics', async (c) => {
    const { text, contentType } = await needs.metrics()
    return c.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
  return app
}
