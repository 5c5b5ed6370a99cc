import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { cloneTemplate, dropDatabase } from '../../src/platform/node/ensure-database.ts'

export interface TestDatabase {
  /** Owns the tables. For what an operator does: migrations, partitions. */
  readonly ownerUrl: string
  /** What the gateway connects as: row-level security is under test too. */
  readonly appUrl: string
  readonly drop: () => Promise<void>
}

/** A migrated, empty database of one's own, for one test file: some 50 ms. Close the pools, then `drop()`. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const adminUrl = inject('postgresAdminUrl')
  const database = `test_${randomBytes(8).toString('hex')}`
  const template = inject('postgresTemplate')
  const urls = await cloneTemplate({ adminUrl, database, template, ...inject('postgresPasswords') })
  return { ...urls, drop: () => dropDatabase({ adminUrl, database }) }
}
