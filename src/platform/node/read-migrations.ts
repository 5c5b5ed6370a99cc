import { readdir, readFile } from 'node:fs/promises'
import type { Migration } from '../../db/index.ts'

const folder = new URL('../../../db/migrations/', import.meta.url)

/** The SQL files of db/migrations, in the order of their names. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name) => ({ name: name.slice(0, -4), sql: await readFile(new URL(name, folder), 'utf8') })),
  )
}
