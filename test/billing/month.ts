import { randomUUID } from 'node:crypto'
import type { Database } from '../../src/db/index.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { closePeriod, parseMonth, type CheckItem, type Period } from '../../src/billing/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { nodeSha256 } from '../../src/platform/node/ports.ts'
import { applyDeclarations, readDeclarations } from '../../src/tenants/index.ts'
import { treeFor } from '../support/declarations.ts'
import { reviewed, tester } from '../support/house.ts'

/** Declares the test tree as if it had been applied then. */
export async function declareAt(
  database: Database,
  at: string,
  replace: Readonly<Record<string, (text: string) => string>> = {},
): Promise<void> {
  const read = readDeclarations(treeFor('http://127.0.0.1:9', replace))
  if (!read.ok) throw new Error(JSON.stringify(read.error))
  const applied = await applyDeclarations(database, read.value, reviewed(Date.parse(at)))
  if (!applied.ok) throw new Error(JSON.stringify(applied.error))
}

export interface Use {
  readonly at: string
  readonly facility?: string
  readonly model?: string
  readonly input?: number
  readonly output?: number
  readonly inferences?: number
  readonly planRevision?: number
  readonly outcome?: string
}

/** Rows of the ledger as a batch brings them, charged at the test plan's unit prices. Returns their request ids. */
export async function use(
  database: Database,
  rows: readonly Use[],
  license = 'LIC-LAKESIDE',
): Promise<readonly string[]> {
  const events = rows.map((row) => ({
    request_id: randomUUID(),
    started_at: row.at,
    facility: row.facility ?? 'general',
    model: row.model ?? 'scribe',
    input: row.input ?? 0,
    output: row.output ?? 0,
    inferences: row.inferences ?? 0,
    plan_revision: row.planRevision ?? 1,
    outcome: row.outcome ?? 'answered',
    charge: (row.input ?? 0) * 3_000_000 + (row.output ?? 0) * 15_000_000 + (row.inferences ?? 0) * 500_000_000_000,
  }))
  await database.systemPool.query(
    `insert into usage_event (tenant_id, request_id, attempt, started_at, operation, streamed, outcome, duration_ms,
       license, license_revision, facility, application, key_id, audience, purpose, model, version, deployment, region,
       requests, input_tokens, output_tokens, inferences, usage_source, plan, plan_revision, currency, charge_picos,
       instance_id, ends_call)
     select l.tenant_id, request_id, 1, started_at, 'chat', false, outcome, 5, l.license, 1, facility, 'ehr', 'key',
       'clinician', 'TREAT', model, '1.0.0', 'east', 'us-east', 1, input, output, inferences, 'host', 'standard',
       plan_revision, 'USD', charge, l.tenant_id, true
     from license l, json_to_recordset($1) as r (request_id uuid, started_at timestamptz, facility text, model text,
       input bigint, output bigint, inferences bigint, plan_revision integer, outcome text, charge bigint)
     where l.license = $2`,
    [JSON.stringify(events), license],
  )
  return events.map(({ request_id }) => request_id)
}

export const month = (text: string): Period => {
  const period = parseMonth(text)
  if (period === undefined) throw new Error(`${text} is no month`)
  return period
}

export const closeMonth = (
  database: Database,
  text: string,
  options: { license?: string; reasons?: readonly (readonly [CheckItem, string])[]; now?: string } = {},
) =>
  closePeriod(
    { database, startSha256: nodeSha256 },
    {
      license: options.license ?? 'LIC-LAKESIDE',
      period: month(text),
      reasons: new Map(options.reasons ?? []),
      actor: tester,
      now: instant(Date.parse(options.now ?? '2026-12-02T00:00:00Z')),
    },
  )

export const look = <T>(database: Database, work: Parameters<typeof systemTransaction<T>>[2]): Promise<T> =>
  systemTransaction(database, 'bill', work)
