import pino from 'pino'
import type { Log, LogFacts } from '../../kernel/index.ts'
import { LineOutput } from './line-output.ts'

/**
 * Lines of JSON on standard output, by pino. Facts are named one by one where the line is written; an error is reduced
 * to its kind, its code and its place in our code, because an error's message may quote what it was thrown over.
 */
export function nodeLog(level: string, destination?: pino.DestinationStream): Log & { flush(): void } {
  const output = destination === undefined && level !== 'silent' ? standardOutput() : undefined
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.epochTime },
    output ?? destination ?? nowhere,
  )
  const plain = (facts: LogFacts | undefined) =>
    facts === undefined
      ? {}
      : Object.fromEntries(
          Object.entries(facts).map(([key, fact]) => [key, typeof fact === 'bigint' ? String(fact) : fact]),
        )
  return {
    info: (event, facts) => logger.info({ ...facts, event }),
    warn: (event, facts) => logger.warn({ ...plain(facts), event }),
    error: (event, facts, cause) => logger.error({ ...plain(facts), ...causeOf(cause), event }),
    flush: () => output?.flush(),
  }
}

const nowhere = { write: () => {} }

/** A line waits for others, half a second at most, and for the end of the process. */
function standardOutput(): LineOutput {
  // Being looked at, it makes its pipe one that does not block: a full one must not hold up calls.
  void process.stdout
  const output = new LineOutput(1)
  setInterval(() => output.push(), 500).unref()
  process.once('exit', () => output.flush())
  return output
}

function causeOf(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return {}
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {}
  const constraint =
    'constraint' in cause && typeof cause.constraint === 'string' ? { constraint: cause.constraint } : {}
  // The message stands at the head of the stack and may itself have lines that look like places.
  const at = (cause.stack ?? '')
    .replace(cause.message, '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
  return { kind: cause.name, ...code, ...constraint, at }
}
