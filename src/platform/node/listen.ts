import pg from 'pg'
import type { Log } from '../../kernel/index.ts'

/**
 * Listens to notifications on a connection of its own and connects again when it breaks. `onGap` is called after every
 * connect: what was notified meanwhile was missed, and polling is the truth.
 */
export function listen(options: {
  readonly url: string
  readonly channels: Readonly<Record<string, (payload: string) => void>>
  readonly log: Log
  onGap(): void
}): { stop(): Promise<void> } {
  let client: pg.Client | undefined
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const connect = async (): Promise<void> => {
    if (stopped) return
    const next = new pg.Client({
      connectionString: options.url,
      application_name: 'formulary-listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    })
    let isOver = false
    const again = () => {
      if (isOver) return
      isOver = true
      next.removeAllListeners('notification')
      next.end().catch(() => {})
      if (!stopped) timer = setTimeout(() => void connect(), 500)
    }
    // A connection that breaks tells it twice, as an error and as its end.
    next.on('error', again)
    next.on('end', again)
    next.on('notification', ({ channel, payload }) => options.channels[channel]?.(payload ?? ''))
    try {
      await next.connect()
      for (const channel of Object.keys(options.channels)) await next.query(`listen ${next.escapeIdentifier(channel)}`)
      client = next
      options.onGap()
    } catch {
      options.log.warn('listen.failed')
      again()
    }
  }
  void connect()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await client?.end().catch(() => {})
    },
  }
}
