import type { Log, LogFacts } from '../../kernel/index.ts'

/**
 * Lines of JSON, which Workers Logs and `wrangler tail` take apart. Facts are named one by one where the line is written;
 * an error is reduced to its kind, its code and its place in our code, because an error's message may quote what it was
 * thrown over.
 */
export const workersLog: Log = {
  info: (event, facts) => console.log(lineOf('info', event, facts)),
  warn: (event, facts) => console.warn(lineOf('warn', event, facts)),
  error: (event, facts, cause) => console.error(lineOf('error', event, facts, causeOf(cause))),
}

const lineOf = (level: string, event: string, facts: LogFacts | undefined, cause: object = {}): string =>
  JSON.stringify({ level, time: new Date().toISOString(), ...facts, ...cause, event }, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )

function causeOf(cause: unknown): object {
  if (!(cause instanceof Error)) return {}
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {}
  const constraint =
    'constraint' in cause && typeof cause.constraint === 'string' ? { constraint: cause.constraint } : {}
  // The message stands at the head of the stack and may itself have lines that look like places.
  const at = (cause.stack ?? '')
    .replace(cause.message, '')
    .replace(cause.message, '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
  return { kind: cause.name, ...code, ...constraint, at }
}
