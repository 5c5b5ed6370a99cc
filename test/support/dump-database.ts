import pg from 'pg'
import { inject } from 'vitest'
import type { TestDatabase } from './postgres.ts'

/** Every value of every table, as text, whoever's it is. */
export async function dumpDatabase(databases: TestDatabase): Promise<string> {
  const url = new URL(inject('postgresAdminUrl'))
  url.pathname = new URL(databases.ownerUrl).pathname
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_schema not in ('pg_catalog', 'information_schema')`,
    )
    const texts: string[] = []
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`)
      texts.push(`${name} (${rows.length})`, ...rows.map(({ row }) => row))
    }
    return texts.join('\n')
  } finally {
    await client.end()
  }
}
