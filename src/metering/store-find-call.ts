import { sql } from 'kysely'
import { instant, instantOf, plusMs, requestName, type Instant, type Uuid } from '../kernel/index.ts'
import { loadAuditEntries } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { Purpose } from '../identity/index.ts'

/** What the ledger or the audit entries say of a call. */
export interface RecordedCall {
  readonly tenantId: Uuid
  readonly tenant: string
  readonly requestId: Uuid
  readonly application: string
  /** As recorded; of a refused call, as far as it was known. */
  readonly audience: string | undefined
  readonly model: string
  readonly operation: string
  readonly purpose: string | undefined
  readonly facility: string | undefined
  readonly at: Instant
  readonly outcome: 'permit' | 'deny'
  /** Of a permitted call. */
  readonly license: string | undefined
  readonly revision: number | undefined
  readonly policies: readonly string[]
  /** Of a refused one, the first first. */
  readonly reasons: readonly string[]
}

/** A call that was made, or refused to somebody who is known; undefined when nothing is recorded under the id. */
export const findRecordedCall = async (tx: Tx, id: Uuid): Promise<RecordedCall | undefined> =>
  (await findInLedger(tx, id)) ?? (await findRefused(tx, id))

/** When a request began, from its id (UUID version 7): the ledger and the entries are looked through there only. */
const beganAt = (id: Uuid): Instant => instant(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
const beforeMs = 60_000
const afterMs = 900_000

async function findInLedger(tx: Tx, id: Uuid): Promise<RecordedCall | undefined> {
  const began = beganAt(id)
  const { rows } = await sql<{
    tenant_id: Uuid
    tenant: string
    started_at: Date
    application: string
    audience: string
    model: string
    version: string
    operation: string
    purpose: string
    facility: string
    license: string
    license_revision: number
    policy: string[] | null
  }>`
    select t.tenant, e.* from tenant t cross join lateral (
      select * from usage_event
      where tenant_id = t.tenant_id and started_at >= ${new Date(began - beforeMs)}
        and started_at < ${new Date(began + afterMs)} and request_id = ${id}
      order by requests desc, attempt desc limit 1) e
    limit 1`.execute(tx)
  const [row] = rows
  if (row === undefined) return undefined
  return {
    tenantId: row.tenant_id,
    tenant: row.tenant,
    requestId: id,
    application: row.application,
    audience: row.audience,
    model: `${row.model}@${row.version}`,
    operation: row.operation,
    purpose: row.purpose,
    facility: row.facility,
    at: instantOf(row.started_at),
    outcome: 'permit',
    license: row.license,
    revision: row.license_revision,
    policies: row.policy ?? [],
    reasons: [],
  }
}

async function findRefused(tx: Tx, id: Uuid): Promise<RecordedCall | undefined> {
  const began = beganAt(id)
  const entries = await loadAuditEntries(tx, {
    tenantId: undefined,
    action: 'call.refuse',
    from: instant(began - beforeMs),
    to: plusMs(began, afterMs),
    limit: 10_000,
  })
  const entry = entries.find(({ facts }) => facts['request'] === requestName(id))
  if (entry?.tenantId === undefined) return undefined
  const { tenant } = await tx
    .selectFrom('tenant')
    .select('tenant')
    .where('tenant_id', '=', entry.tenantId)
    .executeTakeFirstOrThrow()
  const { operation, facility, reasons } = entry.facts
  return {
    tenantId: entry.tenantId,
    tenant,
    requestId: id,
    application: entry.agent.name,
    audience: undefined,
    model: entry.entity.id,
    operation: String(operation),
    purpose: Purpose.safeParse(entry.purpose).data,
    facility: typeof facility === 'string' ? facility : undefined,
    at: entry.at,
    outcome: 'deny',
    license: undefined,
    revision: undefined,
    policies: [],
    reasons: Array.isArray(reasons) ? reasons.map(String) : [],
  }
}
