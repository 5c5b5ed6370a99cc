import { sql, type RawBuilder } from 'kysely'
import pg from 'pg'
import { systemTransaction, tenantTransaction, type Database } from '../../src/db/index.ts'
import type { Uuid } from '../../src/kernel/index.ts'
import { tablesOf } from './row-security.ts'

/** Two tenants with rows in every table of tenants: one asks, the other must not notice. */
export interface TwoTenants {
  readonly mine: Uuid
  readonly theirs: Uuid
}

type Row = Readonly<Record<string, unknown>>
type Outcome = { readonly rows: readonly Row[] } | { readonly refused: string; readonly byPolicy: boolean }

/**
 * What a tenant transaction can do that it must not, a sentence each: the queries name no tenant, or name the other one,
 * as those of a careless or a captured program would. Nothing of it is kept.
 */
export async function scopeFindings(database: Database, tenants: TwoTenants): Promise<readonly string[]> {
  const findings: string[] = []
  for (const table of tablesOf('tenant')) findings.push(...(await tenantTableFindings(database, table, tenants)))
  for (const table of tablesOf('shared')) findings.push(...(await sharedTableFindings(database, table, tenants.mine)))
  for (const table of tablesOf('system')) findings.push(...(await systemTableFindings(database, table, tenants.mine)))
  return findings
}

export async function tenantTableFindings(
  database: Database,
  table: string,
  { mine, theirs }: TwoTenants,
): Promise<readonly string[]> {
  const name = sql.table(table)
  const as = (tenantId: Uuid, statement: RawBuilder<Row>) => attempt(database, tenantId, statement)
  const theirRow = await aRowOf(database, table, theirs)
  if (theirRow === undefined || (await aRowOf(database, table, mine)) === undefined)
    return [`${table}: has no rows of both tenants to tell apart`]
  const isMine = (row: Row) => row['tenant_id'] === mine

  const seen = await as(mine, sql`select * from ${name}`)
  const seenByNobody = await as('00000000-0000-4000-8000-000000000000', sql`select * from ${name}`)
  const seenUnscoped = await attempt(database, undefined, sql`select * from ${name}`)
  const updated = await as(mine, sql`update ${name} set tenant_id = tenant_id where tenant_id = ${theirs} returning 1`)
  const updatedAll = await as(mine, sql`update ${name} set tenant_id = tenant_id returning tenant_id`)
  const givenAway = await as(mine, sql`update ${name} set tenant_id = ${theirs} returning 1`)
  const deleted = await as(mine, sql`delete from ${name} where tenant_id = ${theirs} returning 1`)
  const deletedAll = await as(mine, sql`delete from ${name} returning tenant_id`)
  const inserted = await as(mine, insertOf(table, theirRow))
  return told(table, {
    'a query without a filter does not show the tenant its own rows': !('rows' in seen) || !seen.rows.some(isMine),
    'a query without a filter shows rows of another tenant': 'rows' in seen && !seen.rows.every(isMine),
    'a tenant that does not exist sees rows': touched(seenByNobody),
    'a query without a scope is answered': 'rows' in seenUnscoped,
    'rows of another tenant can be updated': touched(updated),
    'an update without a filter reaches rows of another tenant': 'rows' in updatedAll && !updatedAll.rows.every(isMine),
    'rows can be given to another tenant': touched(givenAway),
    'rows of another tenant can be deleted': touched(deleted),
    'a delete without a filter reaches rows of another tenant': 'rows' in deletedAll && !deletedAll.rows.every(isMine),
    'an insert for another tenant is not refused by a policy': !refusedByPolicy(inserted),
  })
}

async function sharedTableFindings(database: Database, table: string, mine: Uuid): Promise<readonly string[]> {
  const row = await aRowOf(database, table)
  if (row === undefined) return [`${table}: has no rows to try it with`]
  const seen = await attempt(database, mine, sql`select * from ${sql.table(table)}`)
  return [
    ...told(table, { 'a tenant cannot read it': !touched(seen) }),
    ...(await writeFindings(database, table, mine)),
  ]
}

async function systemTableFindings(database: Database, table: string, mine: Uuid): Promise<readonly string[]> {
  const row = await aRowOf(database, table)
  if (row === undefined) return [`${table}: has no rows to hide`]
  const seen = await attempt(database, mine, sql`select * from ${sql.table(table)}`)
  const seenUnscoped = await attempt(database, undefined, sql`select * from ${sql.table(table)}`)
  return [
    ...told(table, {
      'a tenant can read it': touched(seen),
      'it can be read without a scope': touched(seenUnscoped),
    }),
    ...(await writeFindings(database, table, mine)),
  ]
}

async function writeFindings(database: Database, table: string, mine: Uuid): Promise<readonly string[]> {
  const name = sql.table(table)
  const row = (await aRowOf(database, table)) ?? {}
  const [column = ''] = Object.keys(row)
  const updated = await attempt(
    database,
    mine,
    sql`update ${name} set ${sql.ref(column)} = ${sql.ref(column)} returning 1`,
  )
  const deleted = await attempt(database, mine, sql`delete from ${name} returning 1`)
  // Whoever changes a declaration notes it, a tenant as well; it cannot read its note again.
  const inserted = table === 'directory_change' ? undefined : await attempt(database, mine, insertOf(table, row))
  return told(table, {
    'a tenant can update it': touched(updated),
    'a tenant can delete from it': touched(deleted),
    'a tenant can insert into it': inserted !== undefined && !refusedByPolicy(inserted),
  })
}

const told = (table: string, findings: Readonly<Record<string, boolean>>): readonly string[] =>
  Object.entries(findings).flatMap(([finding, isSo]) => (isSo ? [`${table}: ${finding}`] : []))

const touched = (outcome: Outcome): boolean => 'rows' in outcome && outcome.rows.length > 0
const refusedByPolicy = (outcome: Outcome): boolean => 'refused' in outcome && outcome.byPolicy

const insertOf = (table: string, row: Row): RawBuilder<Row> =>
  sql`insert into ${sql.table(table)} select (jsonb_populate_record(null::${sql.table(table)}, ${JSON.stringify(row)}::jsonb)).*`

/** A row as the system sees it, of a tenant if one is named. */
export async function aRowOf(database: Database, table: string, tenantId?: Uuid): Promise<Row | undefined> {
  const whose = tenantId === undefined ? sql`true` : sql`tenant_id = ${tenantId}`
  const { rows } = await systemTransaction(database, 'administer', (tx) =>
    sql<{ row: Row }>`select to_jsonb(t) as row from ${sql.table(table)} t where ${whose} limit 1`.execute(tx),
  )
  return rows[0]?.row
}

/** Carries an outcome out of a transaction that is then rolled back. */
class Undone extends Error {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    super('rolled back on purpose')
    this.outcome = outcome
  }
}

/** Tries a statement in a transaction of the tenant, or in one that nobody has given a scope, and undoes it. */
export async function attempt(
  database: Database,
  tenantId: Uuid | undefined,
  statement: RawBuilder<Row>,
): Promise<Outcome> {
  const work = async (tx: Parameters<RawBuilder<Row>['execute']>[0]): Promise<never> => {
    throw new Undone({ rows: (await statement.execute(tx)).rows })
  }
  try {
    return await (tenantId === undefined
      ? database.tenantKysely.transaction().execute(work)
      : tenantTransaction(database, tenantId, work))
  } catch (error) {
    if (error instanceof Undone) return error.outcome
    if (error instanceof pg.DatabaseError)
      return { refused: error.code ?? '', byPolicy: /row-level security policy/.test(error.message) }
    throw error
  }
}
