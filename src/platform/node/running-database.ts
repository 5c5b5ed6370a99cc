import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { z } from 'zod'

const RunningDatabase = z.object({ ownerUrl: z.string(), appUrl: z.string() })
export type RunningDatabase = z.infer<typeof RunningDatabase>

const fileIn = (dataDir: string): string => join(dataDir, 'database.json')

/** Where the embedded database of a running house is, so that commands beside it find it. */
export async function noteRunningDatabase(dataDir: string, urls: RunningDatabase): Promise<() => Promise<void>> {
  await writeFile(fileIn(dataDir), JSON.stringify(urls), { mode: 0o600 })
  return () => rm(fileIn(dataDir), { force: true })
}

/** The database of a house that runs now; undefined when none does, whatever an earlier one left behind. */
export async function findRunningDatabase(dataDir: string): Promise<RunningDatabase | undefined> {
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => undefined)
  const noted = text === undefined ? undefined : RunningDatabase.safeParse(JSON.parse(text))
  if (noted?.success !== true) return undefined
  const client = new pg.Client({ connectionString: noted.data.appUrl, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return noted.data
  } catch {
    return undefined
  } finally {
    await client.end().catch(() => {})
  }
}
