import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

/**
 * Makes this process the only one that may start or stop what lives in a directory, until `release()` or its end.
 *
 * Node has no flock. A file that names a process is not enough: numbers are used again after a `kill -9`, and two
 * starters can both judge it stale. SQLite's exclusive lock is the kernel's own (fcntl), so it ends with its holder
 * however that ends. The file beside it only makes the refusal readable.
 */
export function holdDirectory(directory: string): { release: () => void } {
  const holder = join(directory, 'holder')
  const lock = openLock(join(directory, 'lock'))
  try {
    lock.exec('pragma journal_mode = off')
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new EmbeddedPostgresError(
      `The data directory ${directory} is in use by another process${named(holder)}: stop that one first, or set another DATA_DIR.`,
      { cause: error },
    )
  }
  writeFileSync(holder, `${process.pid}\n`, { mode: 0o600 })
  return { release: () => lock.close() }
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path)
  } catch (error) {
    throw new EmbeddedPostgresError(`The lock ${path} cannot be opened: does another user own it?`, { cause: error })
  }
}

/** SQLITE_BUSY: somebody else holds it. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5
}

function named(holder: string): string {
  try {
    return ` (${readFileSync(holder, 'utf8').trim()})`
  } catch {
    return ''
  }
}
