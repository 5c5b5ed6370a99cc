import pg from 'pg'
import { openDatabase, type Database } from '../../src/db/index.ts'

/** A database of its own, for one run after the other. */
export interface Lane {
  readonly database: Database
  /** As if nothing had ever been in it. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** What a run writes. Rows go one by one: to truncate some forty tables takes a hundred times as long. */
const written = [
  'stripe_difference',
  'stripe_invoice',
  'stripe_usage',
  'stripe_lane',
  'stripe_customer',
  'stripe_event',
  'stripe_price',
  'stripe_product',
  'stripe_meter',
  'audit_entry',
  'invoice_line',
  'invoice',
  'posting',
  'journal_entry',
  'license',
  'usage_hour',
  'tenant',
  'directory_change',
]

export async function openLane(urls: { appUrl: string; superuserUrl: string }): Promise<Lane> {
  const database = openDatabase({
    url: urls.appUrl,
    applicationName: 'seeds',
    tenantConnectionsMax: 1,
    systemConnectionsMax: 3,
    connectTimeoutMs: 30_000,
    statementTimeoutMs: 60_000,
  })
  const superuser = new pg.Pool({ connectionString: urls.superuserUrl, max: 1 })
  await superuser.query(
    `insert into plan_revision (plan, revision, currency, prices, effective_at, document_sha256)
     values ('standard', 1, 'USD', '[{"meter": "input_tokens", "per": 1, "amount": "0.01"}]', '2026-01-01', '')`,
  )
  return {
    database,
    async empty() {
      const deletes = written.map((table) => `delete from ${table}`).join('; ')
      await superuser.query(
        `begin; set local session_replication_role = replica; ${deletes}; update invoice_series set last = 0; commit`,
      )
    },
    async close() {
      await database.close()
      await superuser.end()
    },
  }
}
