/** What an operator can mend: shown as one line, without a stack. Everything else that is thrown here is our bug. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError'
}

/** The complaint in what a program of PostgreSQL wrote, on one line; its last line when it did not complain. */
export function firstComplaint(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '')
  const complaint = lines.findIndex((line) => /(?:FATAL|PANIC|error): /.test(line))
  if (complaint === -1) return lines.at(-1)?.trim() ?? 'it said nothing'
  const explained = lines.slice(complaint + 1).filter((line) => /(?:DETAIL|HINT|detail|hint): /.test(line))
  return [lines[complaint], ...explained].map(withoutPrefix).join(' ')
}

/** `2026-07-01 12:00:00.000 UTC [42] FATAL:  could not …` → `could not …` */
function withoutPrefix(line: string | undefined): string {
  return (line ?? '').replace(/^.*?\b(?:FATAL|PANIC|DETAIL|HINT|error|detail|hint):\s+/, '').trim()
}
