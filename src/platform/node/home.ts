import { createHash, randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

/**
 * A name for "this data directory on this machine, where process ids mean the same": who has the same home can see
 * whether a process still lives. Containers that share a directory have homes of their own.
 * @throws when the directory cannot be written.
 */
export async function readHome(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'home')
  // Whole or not at all, because the other processes of this machine start in the same moment.
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600 })
  try {
    await link(draft, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  const directory = (await readFile(path, 'utf8')).trim()
  return createHash('sha256').update(`${directory}\n${hostname()}\n${processNamespace()}`).digest('hex').slice(0, 16)
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Only Linux has them.
    return ''
  }
}

/** Whether a process of this home still runs. One that runs under another user does. */
export function isRunning(pid: number): boolean {
  if (pid <= 1) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
