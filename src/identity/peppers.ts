import { err, ok, type Result } from '../kernel/index.ts'

export interface Pepper {
  readonly version: number
  readonly secret: Uint8Array
}

/** The secrets under which keys are stored, by version: while a new one is brought in, keys under the old one work. */
export interface Peppers {
  readonly current: Pepper
  find(version: number): Uint8Array | undefined
}

/**
 * Reads KEY_PEPPER: one secret, or several as `2:secret,1:secret`, newest first. The error is a sentence for the
 * operator, and quotes nothing of the secret.
 */
export function parsePeppers(text: string): Result<Peppers, string> {
  const all: Pepper[] = []
  for (const part of text.split(/,(?=\d{1,9}:)/)) {
    const match = /^(\d{1,9}):(.+)$/.exec(part)
    const [version, secret] = match === null ? [1, part] : [Number(match[1]), match[2] ?? '']
    if (secret.length < 32) return err('KEY_PEPPER is shorter than 32 characters: use 64 random hex digits')
    all.push({ version, secret: new TextEncoder().encode(secret) })
  }
  const [current] = all
  if (current === undefined) return err('KEY_PEPPER is empty')
  const byVersion = new Map(all.map(({ version, secret }) => [version, secret]))
  return ok({ current, find: (version) => byVersion.get(version) })
}
