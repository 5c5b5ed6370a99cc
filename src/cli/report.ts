export interface Io {
  out(line: string): void
  err(line: string): void
  readonly json: boolean
}

/** An expected no: one line for a person, or with --json the same for a program, where it reads its answers. */
export function reportRefusal(io: Io, reason: string, message: string): 1 {
  report(io, reason, message)
  return 1
}

/** The command was not written as it must be. */
export function reportMisuse(io: Io, message: string): 2 {
  report(io, 'usage', message)
  return 2
}

function report(io: Io, reason: string, message: string): void {
  if (io.json) io.out(JSON.stringify({ error: { reason, message } }))
  else io.err(`formulary: ${message}`)
}
