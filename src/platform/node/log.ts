import pino from 'pino'
import type { Log, LogFacts } from '../../kernel/index.ts'

/**
 * Lines of JSON on standard output, by pino. Facts are named one by one where the line is written; an error is reduced
 * to its kind, its code and its place in our code, because an error's message may quote what it was thrown over.
 */
export function nodeLog(level: string, destination?: pino.DestinationStream): Log & { flush(): void } {
  const stream = destination ?? pino.destination({ fd: 1, sync: false, minLength: 4096 })
  const timer = destination === undefined ? setInterval(() => flush(), 500) : undefined
  timer?.unref()
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.epochTime }, stream)
  const plain = (facts: LogFacts | undefined) =>
    facts === undefined
      ? {}
      : Object.fromEntries(
          Object.entries(facts).map(([key, fact]) => [key, typeof fact === 'bigint' ? String(fact) : fact]),
        )
  function flush(): void {
    if ('flushSync' in stream && typeof stream.flushSync === 'function')
      try {
        stream.flushSync()
      } catch {
        // Nothing was written yet, or the reader has gone.
      }
  }
  return {
    info: (event, facts) => logger.info({ ...facts, event }),
    warn: (event, facts) => logger.warn({ ...plain(facts), event }),
    error: (event, facts, cause) => logger.error({ ...plain(facts), ...causeOf(cause), event }),
    flush,
  }
}

function causeOf(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return {}
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {}
  const constraint =
    'constraint' in cause && typeof cause.constraint === 'string' ? { constraint: cause.constraint } : {}
  const at = (cause.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
  return { kind: cause.name, ...code, ...constraint, at }
}
